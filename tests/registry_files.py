"""A small registry of all tables, in which every column of the later ones is filled in once."""

GOOD = {
    "tenants.csv": "tenant,name,region\nacme,ACME Hausgeräte,\n",
    "owners.csv": "owner,name,contact,language,time_zone\n"
    "anna,Anna Weber,anna@example.org,de,Europe/Berlin\n",
    "sites.csv": "site,address,country,region,postal_code,time_zone\n"
    'h1,"Lindenweg 3, 34117 Kassel",DE,DE-HE,34117,Europe/Berlin\n',
    "devices.csv": (
        "tenant,class,device,model,serial,firmware,parent,owner,site,bought\n"
        "acme,appliance,wm-7,W900,W-55,1.4,,anna,h1,2024-06-01\n"
        "acme,server,srv-1,,,,,,,\n"
    ),
    "warranties.csv": (
        "tenant,kind,class,device,model,starts,ends,months,coverage,contract,covers,faults,part_kinds,"
        "excludes,countries,channels,term,extends\n"
        "acme,warranty,,,W9*,,,24,Parts and labour,,parts; labour,washer.*,drain_pump,"
        "battery.worn; washer.unbalance,DE;AT,on_site,base,\n"
        "acme,contract,server,srv-1,,2024-05-01,2027-04-30,,On site,SV-1,,,,,,,,\n"
        "acme,extension,,,W9*,,,12,One year more,EXT-1,,,,,,,,base\n"
    ),
    "parts.csv": (
        "part,title,kind,models,tenant,price,currency,tariff_number,origin_country,return_required,"
        "weight_kg,superseded_by\n"
        "P-1,Drain pump,drain_pump,W900;W91?,acme,32.50,EUR,8413.70,IT,no,0.62,\n"
    ),
    "stock.csv": "warehouse,country,part,quantity\nWH-Kassel,DE,P-1,3\n",
    "repairers.csv": (
        "repairer,name,countries,channels,skills,tenants,country,address,currency,labour_rate,"
        "travel_fee,shipping_fee,postal_areas,classes,hours,time_zone,region,capacity,jobs_a_day\n"
        "R1,Vogt,DE;AT,on_site,appliance;refrigeration,acme,DE,Gartenstraße 9,EUR,66,45.5,,"
        "DE:34*;AT:*,appliance,Mon-Fri 08:00-17:00,Europe/Berlin,DE-HE,12,4\n"
    ),
    "service_levels.csv": (
        "tenant,country,severity,respond,resolve,hours,holidays\n"
        "acme,DE,major,4h,2d,Mon-Fri 08:00-17:00,worked\n"
    ),
}

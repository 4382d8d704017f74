"""What the invented after-sales world is made of: countries, names, kinds of parts, workshops."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Country:
    """A country of the demo.

    Attributes:
        code: ISO 3166-1 alpha-2.
        share: of the owners, relative.
        dial: how telephone numbers begin.
        first, last: names of people.
        companies: with their legal form.
        towns: with postal code.
        streets: without number.
        number_first: whether the house number stands before the street.
    """

    code: str
    share: float
    language: str
    time_zone: str
    first: tuple[str, ...]
    last: tuple[str, ...]
    companies: tuple[str, ...]
    towns: tuple[str, ...]
    streets: tuple[str, ...]
    number_first: bool = False


COUNTRIES = (
    Country(
        "DE",
        30,
        "de",
        "Europe/Berlin",
        ("Anna", "Lukas", "Marie", "Jonas", "Sabine", "Emre", "Greta", "Paul"),
        ("Weber", "Krüger", "Lorenz", "Aydin", "Brandt", "Seidel", "Vogt", "Hartwig"),
        ("Nordlicht Logistik GmbH", "Stadtwerke Mühlental GmbH", "Klinik am Eichberg gGmbH"),
        ("34117 Kassel", "04109 Leipzig", "79098 Freiburg", "24103 Kiel"),
        ("Lindenweg", "Gartenstraße", "Am Mühlbach", "Schillerplatz"),
    ),
    Country(
        "AT",
        10,
        "de",
        "Europe/Vienna",
        ("Katharina", "Florian", "Magdalena", "Tobias"),
        ("Gruber", "Moser", "Wallner", "Pichler"),
        ("Alpenfunk Betriebs GmbH", "Donau Textil AG"),
        ("8010 Graz", "4020 Linz", "6020 Innsbruck"),
        ("Kirchengasse", "Wiesenweg", "Mozartstraße"),
    ),
    Country(
        "FR",
        16,
        "fr",
        "Europe/Paris",
        ("Camille", "Hugo", "Élodie", "Karim", "Manon", "Louis"),
        ("Moreau", "Lefèvre", "Garnier", "Benali", "Rousseau"),
        ("Ateliers du Rhône SARL", "Imprimerie Bellecour SA"),
        ("69002 Lyon", "44000 Nantes", "31000 Toulouse"),
        ("rue des Tilleuls", "avenue de la Gare", "rue du Moulin"),
        number_first=True,
    ),
    Country(
        "IT",
        13,
        "it",
        "Europe/Rome",
        ("Giulia", "Matteo", "Chiara", "Lorenzo"),
        ("Ferraro", "Conti", "Marchetti", "Galli"),
        ("Officine Adriatiche S.r.l.", "Cantina Valdoro S.p.A."),
        ("40121 Bologna", "37121 Verona", "80133 Napoli"),
        ("via dei Mille", "via Garibaldi", "viale dei Pini"),
    ),
    Country(
        "ES",
        10,
        "es",
        "Europe/Madrid",
        ("Lucía", "Álvaro", "Carmen", "Diego"),
        ("Navarro", "Iglesias", "Serrano", "Molina"),
        ("Frutas del Ebro S.L.", "Hotel Puerta del Mar S.A."),
        ("50001 Zaragoza", "46002 Valencia", "41001 Sevilla"),
        ("calle Mayor", "calle del Olmo", "avenida del Puerto"),
    ),
    Country(
        "NL",
        8,
        "nl",
        "Europe/Amsterdam",
        ("Sanne", "Daan", "Fatima", "Bram"),
        ("de Wit", "Bakker", "van Dijk", "Smeets"),
        ("Polderbouw B.V.", "Zuiderzee Vis B.V."),
        ("3511 AB Utrecht", "9711 CD Groningen"),
        ("Kerkstraat", "Molenweg", "Prinsengracht"),
    ),
    Country(
        "PL",
        7,
        "pl",
        "Europe/Warsaw",
        ("Zofia", "Kacper", "Hanna", "Piotr"),
        ("Kowalska", "Nowicki", "Zając", "Wilk"),
        ("Bałtyk Trans Sp. z o.o.", "Młyny Wielkopolskie S.A."),
        ("61-001 Poznań", "80-001 Gdańsk"),
        ("ulica Lipowa", "ulica Ogrodowa", "ulica Szkolna"),
    ),
    Country(
        "CH",
        4,
        "fr",
        "Europe/Zurich",
        ("Nadine", "Urs", "Léa"),
        ("Baumann", "Favre", "Keller"),
        ("Uhrwerk Jura AG",),
        ("2502 Biel/Bienne", "1700 Fribourg"),
        ("rue Centrale", "Bahnhofstrasse"),
    ),
    Country(
        "GB",
        3,
        "en",
        "Europe/London",
        ("Olivia", "Harry", "Priya"),
        ("Ashworth", "Patel", "Fletcher"),
        ("Pennine Foods Ltd",),
        ("Leeds LS1 4AP", "Bristol BS1 5TR"),
        ("Mill Lane", "Orchard Road"),
        number_first=True,
    ),
)

#: Warehouse, its country and how likely it has a part.
WAREHOUSES = (
    ("WH-Kassel", "DE", 0.75),
    ("WH-Lyon", "FR", 0.45),
    ("WH-Bologna", "IT", 0.40),
    ("WH-Poznan", "PL", 0.35),
)


@dataclass(frozen=True, slots=True)
class PartKind:
    """A kind of part.

    Attributes:
        title: in the catalogue's words.
        price: about what one costs, EUR.
        tariff: six digits of the Harmonized System.
        sorts: the sorts of devices that have it.
        universal: whether one part fits every model.
        returned: whether the faulty one is wanted back; empty: nothing is said.
    """

    title: str
    price: float
    tariff: str
    sorts: tuple[str, ...]
    universal: bool = False
    returned: str = ""


_COMPUTERS = ("pc", "server")
_COLD = ("fridge", "ac")

#: A list of its own: simulators do not know the catalogue they are judged by. A test holds the two together.
PART_KINDS = {
    "antenna": PartKind("Antenna module", 14, "8517.71", ("phone",)),
    "battery": PartKind("Battery", 39, "8507.60", ("phone", "pc")),
    "charge_cable": PartKind("Charging cable USB-C", 9, "8544.42", ("phone",), universal=True),
    "charge_port": PartKind("Charging port with flex", 12, "8517.79", ("phone",)),
    "charger_ic": PartKind("Charging controller", 4, "8542.39", ("phone",)),
    "mainboard": PartKind("Main board", 190, "8473.30", ("phone", "pc", "server"), returned="yes"),
    "coin_cell": PartKind("Coin cell CR2032", 1.2, "8506.50", ("pc",), universal=True),
    "cpu": PartKind("Processor", 310, "8542.31", _COMPUTERS, returned="yes"),
    "drive": PartKind("Drive", 145, "8471.70", _COMPUTERS, returned="yes"),
    "drive_cable": PartKind("Drive cable", 7, "8544.42", _COMPUTERS, universal=True),
    "fan": PartKind("Fan", 16, "8414.59", ("pc",)),
    "fan_module": PartKind("Fan module, hot plug", 48, "8414.59", ("server",)),
    "fibre_cable": PartKind("Fibre patch cable LC-LC 3 m", 11, "8544.70", ("server",), universal=True),
    "heat_sink": PartKind("Heat sink", 42, "8473.30", ("server",)),
    "memory_module": PartKind("Memory module", 95, "8473.30", _COMPUTERS, returned="yes"),
    "nvme_ssd": PartKind("NVMe SSD", 160, "8523.51", _COMPUTERS, returned="yes"),
    "optic": PartKind("Optical transceiver SFP+", 64, "8517.62", ("server",), universal=True),
    "power_supply": PartKind("Power supply", 120, "8504.40", _COMPUTERS, returned="yes"),
    "raid_battery": PartKind("Cache battery", 85, "8507.60", ("server",)),
    "thermal_paste": PartKind("Thermal paste 2 g", 4, "3910.00", _COMPUTERS, universal=True),
    "bearing_set": PartKind("Drum bearing set with shaft seal", 46, "8482.10", ("washer",)),
    "door_lock": PartKind("Door lock", 24, "8450.90", ("washer",)),
    "door_seal": PartKind("Door seal", 38, "4016.93", ("washer",)),
    "drain_pump": PartKind("Drain pump", 32, "8413.70", ("washer",)),
    "drum_motor": PartKind("Drum motor", 135, "8501.51", ("washer",)),
    "hall_sensor": PartKind("Speed sensor", 9, "9031.80", ("washer",)),
    "hose_set": PartKind("Hose set with clamps", 18, "4009.31", ("washer",)),
    "inlet_valve": PartKind("Inlet valve", 21, "8481.80", ("washer",)),
    "pressure_sensor": PartKind("Pressure sensor", 17, "9026.20", ("washer",)),
    "shock_absorber": PartKind("Shock absorber", 15, "8450.90", ("washer",)),
    "water_heater": PartKind("Heating element", 29, "8516.80", ("washer",)),
    "temperature_sensor": PartKind("Temperature sensor", 8, "9025.19", ("washer", *_COLD)),
    "compressor": PartKind("Compressor", 165, "8414.30", _COLD),
    "defrost_heater": PartKind("Defrost heater", 26, "8516.80", ("fridge",)),
    "door_gasket": PartKind("Door gasket", 44, "4016.93", ("fridge",)),
    "evaporator_fan": PartKind("Evaporator fan", 36, "8414.59", ("fridge",)),
    "refrigerant": PartKind("Refrigerant, 1 kg", 58, "2903.45", _COLD, universal=True),
    "start_relay": PartKind("Start relay", 13, "8536.49", _COLD),
    "thermostat": PartKind("Thermostat", 27, "9032.10", ("fridge",)),
}


#: About what one part weighs with its packing, in kg.
PART_WEIGHTS = {
    "antenna": 0.01,
    "battery": 0.12,
    "charge_cable": 0.05,
    "charge_port": 0.02,
    "charger_ic": 0.01,
    "mainboard": 0.6,
    "coin_cell": 0.01,
    "cpu": 0.15,
    "drive": 0.75,
    "drive_cable": 0.06,
    "fan": 0.12,
    "fan_module": 0.35,
    "fibre_cable": 0.05,
    "heat_sink": 0.4,
    "memory_module": 0.05,
    "nvme_ssd": 0.05,
    "optic": 0.05,
    "power_supply": 1.1,
    "raid_battery": 0.15,
    "thermal_paste": 0.02,
    "bearing_set": 0.7,
    "door_lock": 0.2,
    "door_seal": 1.1,
    "drain_pump": 0.6,
    "drum_motor": 4.2,
    "hall_sensor": 0.03,
    "hose_set": 0.5,
    "inlet_valve": 0.2,
    "pressure_sensor": 0.1,
    "shock_absorber": 0.4,
    "water_heater": 0.4,
    "temperature_sensor": 0.03,
    "compressor": 9.5,
    "defrost_heater": 0.3,
    "door_gasket": 0.8,
    "evaporator_fan": 0.3,
    "refrigerant": 1.9,
    "start_relay": 0.05,
    "thermostat": 0.15,
}

#: Severity, until someone answers, until it is mended, business hours (none: around the clock).
SERVICE_LEVELS = (
    ("critical", "4h", "1d", ""),
    ("major", "1d", "2d", "Mon-Fri 08:00-17:00;Sat 09:00-13:00"),
    ("minor", "3d", "10d", "Mon-Fri 08:00-17:00"),
)


@dataclass(frozen=True, slots=True)
class Workshop:
    """A sort of repairer; amounts in EUR."""

    name: str
    channels: tuple[str, ...]
    skills: tuple[str, ...]
    rate: int
    travel: int | None
    shipping: int | None


WORKSHOPS = (
    Workshop("home appliances", ("on_site",), ("appliance", "refrigeration"), 68, 45, None),
    Workshop("mobile devices", ("mail_in", "carry_in"), ("phone", "lithium_battery"), 54, None, 12),
    Workshop(
        "IT field service",
        ("on_site", "mail_in", "remote"),
        ("pc", "server", "lithium_battery", "room_cooling"),
        92,
        60,
        19,
    ),
)

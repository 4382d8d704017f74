"""Customs borders: which countries goods move between without a declaration."""

_EUROPEAN_UNION = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MC MT NL PL PT RO SE SI SK"

#: Customs territories of several countries, ISO 3166-1 alpha-2. The Union Customs Code, article 4, counts
#: Monaco to the European Union's; Liechtenstein is in Switzerland's by the treaty of 1923. Turkey's customs
#: union with the EU does away with duties, not with declarations. Parts of countries that lie outside
#: (Canary Islands, Northern Ireland...) are not told apart.
CUSTOMS_TERRITORIES = (
    frozenset(_EUROPEAN_UNION.split()),
    frozenset({"CH", "LI"}),
)


def customs_border(origin: str, destination: str) -> bool:
    """Say whether goods from one country to another need a customs declaration."""
    if origin == destination:
        return False
    return not any(origin in territory and destination in territory for territory in CUSTOMS_TERRITORIES)

"""What holds for the form of every order."""

import re

from diagnostics.orders.model import ServiceOrder


def assert_a_partition(order: ServiceOrder) -> None:
    """No field is both filled in and missing; what was chosen is filled in."""
    document = order.document()
    for gap in {entry.field for entry in order.missing}:
        assert value_at(document, gap) in (None, [], UNKNOWN_ENTITLEMENT), gap
    for choice in {entry.field for entry in order.choices}:
        assert value_at(document, choice) not in (None, []), choice


UNKNOWN_ENTITLEMENT = {"status": "unknown", "coverage": None, "ends": None, "contract": None}


def value_at(document: object, path: str) -> object:
    """What stands at a path such as ``parts[0].warehouse``; None where there is no such place."""
    for key, number in re.findall(r"([a-z_]+)|\[(\d+)\]", path):
        if document is None:
            return None
        if number:
            assert isinstance(document, list)
            document = document[int(number)] if int(number) < len(document) else None
        else:
            assert isinstance(document, dict)
            document = document[key]
    return document

"""How much of an order's form is filled in."""

from dataclasses import dataclass

from diagnostics.orders.model import ServiceOrder

#: The sections of the form that device, registry and catalogues fill in.
FORM = ("device", "fault", "customer", "site", "entitlement", "service", "parts", "logistics", "estimate")

#: How many fields are not there when one of these stands in `missing` as a whole; else it is one.
_FIELDS_OF = {
    "fault.iris": 2,
    "entitlement": 2,  # status and coverage; an end and a contract's number not every coverage has
    "service.provider": 2,
    "parts": 5,
    "logistics.outbound": 2,
    "logistics.customs": 5,
}


@dataclass(frozen=True, slots=True)
class Completeness:
    """Fields of the form that are filled in and that are missing; what does not apply is neither."""

    filled: int
    missing: int

    @property
    def ratio(self) -> float:
        """Filled of all that apply; 1 of none."""
        return self.filled / (self.filled + self.missing) if self.filled + self.missing else 1.0

    def __add__(self, other: "Completeness") -> "Completeness":
        return Completeness(self.filled + other.filled, self.missing + other.missing)


def completeness(order: ServiceOrder) -> Completeness:
    """Count the fields of an order's form; what nobody can be asked about (`NOT_TO_ASK`) is left out."""
    document = order.document()
    filled = sum(_filled(document[section]) for section in FORM)
    if order.entitlement.status == "unknown":
        filled -= 1
    if order.fault.iris is not None:
        filled -= _filled(order.fault.iris.model_dump())
    fields = {entry.field for entry in order.to_ask}
    return Completeness(filled, sum(_FIELDS_OF.get(_whole(field), 1) for field in fields))


def _whole(field: str) -> str:
    """Return ``parts`` for ``parts[1]``, which is a part that is not there at all."""
    return "parts" if field.endswith("]") else field


def _filled(value: object) -> int:
    if isinstance(value, dict):
        return sum(map(_filled, value.values()))
    if isinstance(value, list):
        return sum(map(_filled, value))
    return value is not None

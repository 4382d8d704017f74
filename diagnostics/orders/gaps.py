"""What an order could not be given, and why."""

from diagnostics.orders.model import Missing


class Gaps:
    """Collects the `missing` entries of one order, each once, in the order in which they were found."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], None] = {}

    def add(self, field: str, why: str) -> None:
        """Note that the field at a path such as ``customer.contact`` was not filled in, or is in doubt."""
        self._found[field, why] = None

    def require(self, field: str, value: object, why: str) -> None:
        """Note the field when its value is None."""
        if value is None:
            self.add(field, why)

    def entries(self) -> list[Missing]:
        """Return them as they stand in the order."""
        return [Missing(field=field, why=why) for field, why in self._found]

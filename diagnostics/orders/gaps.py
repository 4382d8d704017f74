"""What an order could not be given, and why; and why what it was given was chosen."""

from diagnostics.orders.model import Choice, Missing


class Gaps:
    """Collects `missing` and `choices` of one order, each once, in the order in which they were found."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], None] = {}
        self._chosen: dict[tuple[str, str], None] = {}

    def add(self, field: str, why: str) -> None:
        """Note that the field at a path such as ``customer.contact`` was not filled in."""
        self._found[field, why] = None

    def require(self, field: str, value: object, why: str) -> None:
        """Note the field when its value is None."""
        if value is None:
            self.add(field, why)

    def chose(self, field: str, why: str) -> None:
        """Note why a field that was filled in holds what it holds, or what about it is in doubt."""
        self._chosen[field, why] = None

    def entries(self) -> list[Missing]:
        """Return what is missing as it stands in the order."""
        return [Missing(field=field, why=why) for field, why in self._found]

    def choices(self) -> list[Choice]:
        """Return why was chosen what was chosen, as it stands in the order."""
        return [Choice(field=field, why=why) for field, why in self._chosen]

"""What senders have in common: what they take and give, and how an attempt fails."""

from dataclasses import dataclass
from typing import Protocol

from gateway.ports import Owed, Ticket

#: Characters of what a target answered that are kept beside a failure.
_KEPT = 200


class NotDeliveredError(Exception):
    """An attempt failed.

    Attributes:
        final: it is of no use to try again.
        retry_after: s, how long the target asks to be left alone; None when it said nothing.
    """

    def __init__(self, detail: str, *, final: bool = False, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.final = final
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Sent:
    """An attempt that succeeded; `ticket` is what the target calls the order, if it said so."""

    ticket: Ticket | None = None


class Sender(Protocol):
    """Carries events to one target."""

    async def send(self, owed: Owed) -> Sent:
        """Carry an event there; returns once the target has it.

        Raises:
            NotDeliveredError: it does not have it, or did not say so.
        """
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


def shortened(text: str, most: int = _KEPT) -> str:
    """Return the beginning of what a stranger said as one printable line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * most]).split())
    return line if len(line) <= most else line[:most] + "..."

"""What the API asks of the rest of the gateway, beyond the ports: protocols that the service fulfils."""

from collections.abc import AsyncIterator, Sequence
from typing import Literal, NamedTuple, Protocol

from diagnostics.instruction import Instruction
from diagnostics.silences import SilenceWord
from gateway.access.principal import Principal
from gateway.ports import Packet
from gateway.rulechange import RuleChange
from rules.symbols import DeviceId
from rules.tally import RuleTally


class Health(Protocol):
    """How the gateway is."""

    def alive(self) -> bool:
        """Whether the process does its work; false asks the supervisor for a restart."""
        ...

    def ready(self) -> tuple[bool, str]:
        """Whether it is subscribed at the broker and recovered, and what is still missing if not."""
        ...


class Heard(Protocol):
    """When devices were last heard of, to the message; the ledger may lag behind."""

    def last_seen(self, device: DeviceId) -> int | None:
        """Return the arrival of a device's last message, ms; None when it never spoke. On any thread."""
        ...

    def reconnects(self, device: DeviceId, now: int) -> int:
        """Return how often a reconnecting device came online within a minute, 0 when steady."""
        ...


class RulesView(Protocol):
    """The rules that are being evaluated."""

    def rules(self) -> list[dict[str, object]]:
        """Return every rule as its pack spells it: ``id``, ``fault``, ``when``, ``hold`` and so on."""
        ...


class Reloads(Protocol):
    """Where rule packs can be read anew."""

    async def reload(self) -> RuleChange:
        """Let the packs as they now stand take the place of the rules in force; return what changed.

        Raises:
            PackError: a pack is wrong; the rules are those of before.
            OutsideError: the gateway is ending, or the rules cannot go on from the state that there is.
        """
        ...


class Word(NamedTuple):
    """What somebody said.

    Attributes:
        device: of the case, or where words about silences of a tenant are kept: `silences.said_at`.
        said: of a case and its order, or of a silence.
    """

    device: DeviceId
    said: Instruction | SilenceWord


class Tallies(Protocol):
    """Where the rules stand over the fleet."""

    async def tally(self) -> list[RuleTally]:
        """Return in how many lanes each rule stands where, counted between two batches.

        Raises:
            OutsideError: the gateway is not at work yet, or no more.
        """
        ...


class Instructed(Protocol):
    """What does as people say."""

    async def instruct(self, words: Sequence[Word]) -> list[str | None]:
        """Let words have their effect, in their order; return once that is kept.

        Returns:
            Of each word why it was refused and is not kept, None where it was not.

        Raises:
            OutsideError: the gateway is not at work yet, or no more.
        """
        ...


class Intake(Protocol):
    """Where messages are taken in that did not come from the broker."""

    async def submit(self, packets: Sequence[Packet]) -> None:
        """Take in packets; return once history and ledger have kept what they say.

        Raises:
            OutsideError: the gateway is ending.
        """
        ...


class Change(NamedTuple):
    """Something that was committed to the ledger, or news of the feed itself.

    Attributes:
        event: ``case``, ``order``; ``lagged`` tells a reader that changes were missed.
        document: the case or the order as the API shows it; ``{"missed": n}`` for ``lagged``, null where
            nobody knows how many.
        id: names the place in the feed; a reader who says it goes on from there.
    """

    event: Literal["case", "order", "lagged"]
    document: dict[str, object]
    id: str


class Changes(Protocol):
    """Where changes of cases and orders can be followed."""

    def here(self) -> str:
        """Return the id of the place where the feed now stands."""
        ...

    def subscribe(
        self, caller: Principal | None = None, *, after: str | None = None
    ) -> AsyncIterator[Change]:
        """Yield every change from now on, until the reader leaves or the gateway stops.

        Args:
            caller: hears of their tenants alone, and personal data as they may see it; None hears all.
            after: an id that was heard: what came since comes first, as far as it is still known.
        """
        ...

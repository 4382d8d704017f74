"""Silences: for so long, of what fits, nothing is ordered and nobody is told.

A silence runs on arrival time. While it lasts, a fault that it fits is watched and confirmed like any other;
only its order waits. When it ends and the fault still stands, the order opens then.
"""

import heapq
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from diagnostics.case import Case
from diagnostics.naming import Traits
from rules.model import DEVICE_CLASSES
from rules.selector import matches
from rules.symbols import DeviceId
from rules.times import DAY_MS

SilenceVerb = Literal["silence", "end_silence"]
SilenceState = Literal["pending", "active", "expired"]

#: The longest that somebody may ask for: who wants more wants another rule.
LONGEST_MS = 366 * DAY_MS
#: So long after its end a silence is remembered, to know what is said again.
_REMEMBERED_MS = DAY_MS


def said_at(tenant: str) -> DeviceId:
    """Return where words about silences stand in the history; no device is so called."""
    return DeviceId(tenant, DEVICE_CLASSES[0], "*")


class SilenceMatch(BaseModel):
    """What a silence fits: all that is given must; each may be a glob such as ``WM-5*``.

    Attributes:
        device_class: ``class`` outside.
        device: its name, without tenant and class.
        component: such as ``sda``.
        model: as the device says it, else as the registry does.
        site: its key in the registry.
        rule: id of the rule whose suspicion is confirmed.
        fault: code of the fault.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True, str_strip_whitespace=True
    )

    device_class: str | None = Field(default=None, alias="class", max_length=200)
    device: str | None = Field(default=None, max_length=200)
    component: str | None = Field(default=None, max_length=200)
    model: str | None = Field(default=None, max_length=200)
    site: str | None = Field(default=None, max_length=200)
    rule: str | None = Field(default=None, max_length=200)
    fault: str | None = Field(default=None, max_length=200)

    @field_validator("*")
    @classmethod
    def _says_something(cls, pattern: str | None) -> str | None:
        if pattern is not None and (not pattern or not pattern.isprintable()):
            raise ValueError(f"expected a name or a glob, got {pattern!r}")
        return pattern

    @model_validator(mode="after")
    def _is_about_something(self) -> "SilenceMatch":
        if not self.given():
            raise ValueError('expected at least one of them; {"device": "*"} fits everything of the tenant')
        return self

    def given(self) -> dict[str, str]:
        """Return the patterns that are given, by the names that they have outside."""
        return self.model_dump(by_alias=True, exclude_none=True)

    def fits(self, case: Case, rule: str, traits: Traits) -> bool:
        """Whether all that is given fits a case, whose `rule` was confirmed, and its device."""
        values: dict[str, str | None] = {
            "class": case.device_class,
            "device": case.device,
            "component": case.component or None,
            "model": traits.model,
            "site": traits.site,
            "rule": rule,
            "fault": case.fault,
        }
        return all(
            values[name] is not None and matches((pattern,), values[name])
            for name, pattern in self.given().items()
        )


class Silence(BaseModel):
    """A silence and who asked for it. Instants are ms since 1970 UTC, of the arrival clock.

    Attributes:
        tenant: it is for one brand.
        maintenance: somebody is at work there; the reason is ``in_maintenance`` then.
        starts: from here on.
        ends: until before here, unless it is ended earlier.
        note: why.
        case_id: the case that it was asked for at, None when at none.
        created_by: who asked for it.
        ended_at: when it was ended early; None when it was not.
        ended_by: who did.
        end_note: why.
    """

    model_config = ConfigDict(frozen=True)

    silence_id: str
    tenant: str
    match: SilenceMatch
    maintenance: bool = False
    starts: int
    ends: int
    note: str
    case_id: str | None = None
    created_at: int
    created_by: str
    ended_at: int | None = None
    ended_by: str | None = None
    end_note: str = ""

    @property
    def over_at(self) -> int:
        """When it is over, ms."""
        return self.ends if self.ended_at is None else min(self.ends, self.ended_at)

    def state(self, now: int) -> SilenceState:
        """Return where it stands at `now`, ms."""
        if now >= self.over_at:
            return "expired"
        return "active" if now >= self.starts else "pending"

    def fits(self, case: Case, rule: str, traits: Traits) -> bool:
        """Whether it is for a case whose `rule` was confirmed, whenever that is."""
        return self.tenant == case.tenant and self.match.fits(case, rule, traits)


class SilenceWord(BaseModel):
    """A word of an engineer about a silence: it goes the way of instructions.

    Attributes:
        instruction_id: the same when the same is said again; done once.
        silence: to be kept, for ``silence``.
        silence_id: to be ended, for ``end_silence``.
    """

    model_config = ConfigDict(frozen=True)

    verb: SilenceVerb
    instruction_id: str
    who: str
    silence: Silence | None = None
    silence_id: str = ""
    note: str = ""


class Silences:
    """The silences that are still to end, and those that ended within the last day."""

    def __init__(self) -> None:
        self._by_id: dict[str, Silence] = {}
        self._ends: list[tuple[int, str]] = []  # heap of (end, id)

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Silence]:
        return iter(self._by_id.values())

    def get(self, silence_id: str) -> Silence | None:
        """Return one of them."""
        return self._by_id.get(silence_id)

    def keep(self, silence: Silence) -> None:
        """Keep a silence, or what it has become."""
        self._by_id[silence.silence_id] = silence
        heapq.heappush(self._ends, (silence.over_at, silence.silence_id))

    def restore(self, silences: Sequence[Silence]) -> None:
        """Go on from a snapshot, which is what iterating yields."""
        for silence in silences:
            self.keep(silence)

    def over(self, case: Case, rule: str, traits: Traits, at: int) -> Silence | None:
        """Return the silence that a case falls under at an instant, the one that lasts longest, if any."""
        found = [s for s in self if s.state(at) == "active" and s.fits(case, rule, traits)]
        return max(found, key=lambda silence: (silence.over_at, silence.silence_id), default=None)

    def next_end(self, now: int) -> int | None:
        """Return when the first ends of those that end by `now`, ms; None when none does."""
        return self._ends[0][0] if self._ends and self._ends[0][0] <= now else None

    def take_ended(self, at: int) -> None:
        """Be told that what waited for ends by `at` was looked at."""
        while self._ends and self._ends[0][0] <= at:
            heapq.heappop(self._ends)
        gone = [s.silence_id for s in self if s.over_at + _REMEMBERED_MS < at]
        for silence_id in gone:
            del self._by_id[silence_id]

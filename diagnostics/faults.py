"""The fault catalogue: what a fault looks like to its owner, and what mends it, who, how fast."""

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from diagnostics.case import Evidence
from rules.model import Severity
from rules.times import parse_duration

DeviceClass = Literal["phone", "pc", "server", "appliance"]
ServiceChannel = Literal["on_site", "carry_in", "mail_in", "parts_only", "remote"]
Urgency = Literal["U1", "U2", "U3"]


def _duration(text: str) -> str:
    parse_duration(text)
    return text


DurationText = Annotated[str, AfterValidator(_duration)]


class Entry(BaseModel):
    """A part of the catalogue; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FaultIris(Entry):
    """Codes of the International Repair Information System; None where none says exactly this."""

    condition: str | None = None
    symptom: str | None = None


class FaultCause(Entry):
    """A possible cause; `probability` from 0 to 1, None when nothing defensible is known."""

    cause: str
    probability: Annotated[float, Field(ge=0, le=1)] | None = None


class PartNeed(Entry):
    """A kind of part that mends the fault and how many of it."""

    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    quantity: Annotated[int, Field(ge=1)] = 1


class FaultRemedy(Entry):
    """Something to try before anyone travels; `probe` is the self test that is this remedy."""

    by: Literal["owner", "staff", "device"]
    text: str
    probe: str | None = None


class UrgencyWhen(Entry):
    """Another urgency when the case's latest value of a signal says so.

    Attributes:
        signal: without component.
        equals: the value that makes it so.
        any_bit: or: bits, counted from 0, of which one being set makes it so.
    """

    signal: str
    equals: bool | float | str | None = None
    any_bit: tuple[int, ...] = ()
    urgency: Urgency

    def holds(self, value: object) -> bool:
        """Say whether a value is the one that changes the urgency."""
        if not self.any_bit:
            return value == self.equals
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
            return False
        return any(int(value) >> bit & 1 for bit in self.any_bit)


class Fault(Entry):
    """One fault, in the words of faults.yaml, which explains the keys.

    Attributes:
        code: its key, such as ``disk.media_wear``; contract.
        minutes: working time at the device without travel; None when no order is ever opened.
        channels: by class, in order of preference, where they differ from the class's own.
    """

    code: str
    title: str
    classes: Annotated[tuple[DeviceClass, ...], Field(min_length=1)]
    symptom: str
    iris: FaultIris = FaultIris()
    causes: Annotated[tuple[FaultCause, ...], Field(min_length=1)]
    parts: tuple[PartNeed, ...] = ()
    urgency: Urgency
    urgency_when: tuple[UrgencyWhen, ...] = ()
    severity: Severity
    skills: tuple[str, ...] = ()
    minutes: Annotated[int, Field(gt=0)] | None = None
    remedies: tuple[FaultRemedy, ...] = ()
    advice: str | None = None
    returns: bool
    order: bool = True
    danger: bool = False
    channels: Mapping[DeviceClass, tuple[ServiceChannel, ...]] = {}

    @model_validator(mode="after")
    def _consistent(self) -> "Fault":
        if self.order and self.minutes is None:
            raise ValueError("expected minutes, an order needs them")
        if sum(cause.probability or 0 for cause in self.causes) > 1:
            raise ValueError("expected probabilities that add up to 1 at most")
        if self.danger and self.advice is None:
            raise ValueError("expected advice, the owner of something dangerous must be told what to do")
        return self

    def urgency_for(self, evidence: Sequence[Evidence]) -> Urgency:
        """Return how urgent the fault is in the light of a case's evidence."""
        latest = {item.signal.partition("@")[0]: item.value for item in sorted(evidence, key=_instant)}
        for condition in self.urgency_when:
            if condition.signal in latest and condition.holds(latest[condition.signal]):
                return condition.urgency
        return self.urgency


def _instant(evidence: Evidence) -> int:
    return evidence.at


class ServiceTimes(Entry):
    """How soon someone answers and how soon it is mended, from the opening of the order."""

    respond: DurationText
    resolve: DurationText

    @property
    def respond_ms(self) -> int:
        """`respond` in ms."""
        return parse_duration(self.respond)

    @property
    def resolve_ms(self) -> int:
        """`resolve` in ms."""
        return parse_duration(self.resolve)


class ClassService(Entry):
    """How devices of one class are served: channels in order of preference, skills that all work needs."""

    channels: Annotated[tuple[ServiceChannel, ...], Field(min_length=1)]
    skills: tuple[str, ...]


class PartKind(Entry):
    """A kind of part and other words for it."""

    also: tuple[str, ...] = ()


class FaultDocument(Entry):
    """The catalogue's file."""

    urgencies: Mapping[Urgency, ServiceTimes]
    urgency_of_severity: Mapping[Severity, Urgency]
    classes: Mapping[DeviceClass, ClassService]
    kinds: Mapping[str, PartKind]
    faults: Mapping[str, Fault]

    @model_validator(mode="before")
    @classmethod
    def _named(cls, document: object) -> object:
        """Give every fault its key as its code."""
        if isinstance(document, dict) and isinstance(document.get("faults"), dict):
            faults = {
                code: {"code": code, **entry} if isinstance(entry, dict) else entry
                for code, entry in document["faults"].items()
            }
            return {**document, "faults": faults}
        return document

    @model_validator(mode="after")
    def _kinds_are_known(self) -> "FaultDocument":
        for fault in self.faults.values():
            for need in fault.parts:
                if need.kind not in self.kinds:
                    raise ValueError(
                        f"{fault.code}: expected parts of kinds that stand in kinds, got {need.kind!r}"
                    )
        return self


class FaultCatalogue:
    """The faults by code, the classes' service and the times that are promised."""

    def __init__(self, document: FaultDocument) -> None:
        self._document = document
        self._kinds_of_word: dict[str, set[str]] = defaultdict(set)
        for kind, entry in document.kinds.items():
            for word in (kind, *entry.also):
                self._kinds_of_word[_as_kind(word)].add(kind)

    @property
    def kinds(self) -> frozenset[str]:
        """All kinds of parts."""
        return frozenset(self._document.kinds)

    def __contains__(self, code: str) -> bool:
        return code in self._document.faults

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._document.faults.values())

    def __len__(self) -> int:
        return len(self._document.faults)

    def get(self, code: str) -> Fault | None:
        """Return the fault of that code, None when the catalogue has none."""
        return self._document.faults.get(code)

    def nearest(self, code: str) -> list[str]:
        """Return up to three codes that look like `code`, best first."""
        return difflib.get_close_matches(code, self._document.faults, n=3, cutoff=0.6)

    def kind_of(self, word: str, fault: Fault | None) -> str:
        """Return the kind of part that a rule means by a word such as ``drain pump`` or ``NTC``.

        Of several that the word may mean it is the one that mends the fault. A word of no kind, or still of
        several, is returned in the spelling of kinds, so that a registry may have kinds of its own.
        """
        spelled = _as_kind(word)
        kinds = self._kinds_of_word.get(spelled, set())
        mending = kinds & {need.kind for need in (fault.parts if fault else ())}
        for choice in (mending, kinds):
            if len(choice) == 1:
                return next(iter(choice))
        return spelled

    def times(self, urgency: Urgency) -> ServiceTimes:
        """Return what is promised at an urgency."""
        return self._document.urgencies[urgency]

    def urgency_of(self, severity: Severity) -> Urgency:
        """Return the urgency of a fault that is not in the catalogue, from its rule's severity."""
        return self._document.urgency_of_severity[severity]

    def channels(self, fault: Fault | None, device_class: str) -> tuple[ServiceChannel, ...]:
        """Return how a fault of a device of that class is served, best first; empty for an unknown class."""
        service = self._service(device_class)
        own = fault.channels if fault else {}
        return next(
            (channels for name, channels in own.items() if name == device_class),
            service.channels if service else (),
        )

    def skills(self, fault: Fault | None, device_class: str) -> tuple[str, ...]:
        """Return what the technician must be trained for: the class's skills, then the fault's."""
        service = self._service(device_class)
        return (*(service.skills if service else ()), *(fault.skills if fault else ()))

    def _service(self, device_class: str) -> ClassService | None:
        return next((s for name, s in self._document.classes.items() if name == device_class), None)


def _as_kind(word: str) -> str:
    return re.sub(r"[\s_-]+", "_", word.strip().casefold())


def load_faults() -> FaultCatalogue:
    """Return the catalogue that is shipped with the package."""
    text = resources.files("diagnostics").joinpath("catalogue", "faults.yaml").read_text(encoding="utf-8")
    return FaultCatalogue(FaultDocument.model_validate(yaml.safe_load(text)))

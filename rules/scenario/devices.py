"""The devices of a test: who they are, what they read, say and answer."""

from collections.abc import Mapping
from typing import NamedTuple

from rules.model import DEVICE_CLASSES
from rules.scenario.knowledge import Known, hint
from rules.scenario.model import Device, FactChange, Reply, Series
from rules.scenario.notation import NotationError, expand
from rules.scenario.spots import ScenarioError, Spot, told
from rules.symbols import Channel, DeviceId

DEFAULT_TENANT = "acme"
DEFAULT_NAME = "device-1"
#: What a device may answer to a self test; ``none`` for nothing.
REPLY_STATES = ("passed", "failed", "running", "unsupported", "error", "none")

_NAME = r"[A-Za-z0-9_.:-]{1,64}"
_NAME_WORDS = "1 to 64 of A-Z a-z 0-9 _ . : -"
_MOST_COPIES = 1_000
_FURTHER_KEYS = ("name", "count", "device", "series", "facts", "replies", "silent")


class _Identity(NamedTuple):
    tenant: str
    device_class: str
    name: str
    facts: Mapping[str, object]


def read_devices(
    test: Spot, entries: Mapping[str, Spot], known: Known, start: int, problems: list[str]
) -> tuple[Device, ...]:
    """Return the devices of a test, its own first. What is wrong with a series or a device is noted.

    Args:
        test: the test.
        entries: its entries.
        known: the names that it may use.
        start: of the test, ms since 1970.
        problems: where what is wrong is noted.
    """
    reader = _DeviceReader(known, start, problems)
    own = _identity(entries["device"])
    devices = {}
    device = DeviceId(own.tenant, own.device_class, own.name)
    devices[device] = reader.read(test, entries, device, own.facts)
    for spot in entries["devices"].items() if "devices" in entries else ():
        with told(problems):
            further = spot.entries(_FURTHER_KEYS, required=("name", "series"))
            identity = _further_identity(further, own)
            copies = further["count"].count(1, _MOST_COPIES) if "count" in further else 1
            for number in range(1, copies + 1):
                name = identity.name if copies == 1 else f"{identity.name}{number}"
                device = DeviceId(identity.tenant, identity.device_class, name)
                if device in devices:
                    raise further["name"].problem(f"there is a device {name} already")
                devices[device] = reader.read(spot, further, device, identity.facts)
    return tuple(devices.values())


def _identity(spot: Spot) -> _Identity:
    entries = spot.entries(required=("class",))
    facts = {key: value.plain() for key, value in entries.items() if key not in ("class", "tenant", "name")}
    return _Identity(
        tenant=entries["tenant"].text(_NAME_WORDS, _NAME) if "tenant" in entries else DEFAULT_TENANT,
        device_class=entries["class"].choice(DEVICE_CLASSES),
        name=entries["name"].text(_NAME_WORDS, _NAME) if "name" in entries else DEFAULT_NAME,
        facts=facts,
    )


def _further_identity(entries: Mapping[str, Spot], own: _Identity) -> _Identity:
    """Return who a further device is: as the test's own but for its name, unless it has a ``device``."""
    name = entries["name"].text(_NAME_WORDS, _NAME)
    if "device" not in entries:
        return own._replace(name=name)
    stated = entries["device"].entries()
    if "name" in stated:
        raise stated["name"].problem("a further device has its name beside device, not in it")
    return _identity(entries["device"])._replace(name=name)


class _DeviceReader:
    """Reads devices of a test that begins at `start`."""

    def __init__(self, known: Known, start: int, problems: list[str]) -> None:
        self._known = known
        self._start = start
        self._problems = problems

    def read(
        self, spot: Spot, entries: Mapping[str, Spot], device: DeviceId, facts: Mapping[str, object]
    ) -> Device:
        found = Device(
            id=device,
            facts=facts,
            series=self._all_series(entries["series"]),
            changes=tuple(self._change(item) for item in _items(entries, "facts")),
            replies=self._replies(entries["replies"]) if "replies" in entries else {},
            silent=tuple(self._span(item) for item in _items(entries, "silent")),
            place=spot.place,
        )
        for change in found.changes:
            if found.silence(change.at) is not None:
                raise ScenarioError([f"{change.place}: facts: the device is silent at this time"])
        return found

    def _all_series(self, spot: Spot) -> tuple[Series, ...]:
        entries = spot.entries()
        if not entries:
            raise spot.problem("expected at least one series")
        series = []
        for name, entry in entries.items():
            with told(self._problems):
                series.append(self._one_series(name, entry))
        return tuple(series)

    def _one_series(self, name: str, spot: Spot) -> Series:
        channel = Channel.parse(name)
        signal = self._known.catalogue.get(channel.signal)
        if signal is None:
            nearest = self._known.catalogue.nearest(channel.signal)
            raise spot.problem(f"unknown signal {channel.signal!r}{hint(nearest)}")
        text = spot.text("a series such as 0.2x10 3.1x24")
        try:
            return Series(channel, tuple(expand(text, signal.kind)), spot.place)
        except NotationError as error:
            raise spot.problem(str(error)) from None

    def _change(self, spot: Spot) -> FactChange:
        entries = spot.entries(required=("at",))
        facts = {key: value.plain() for key, value in entries.items() if key != "at"}
        if not facts:
            raise spot.problem("expected facts beside at, such as {at: 10m, firmware: '1.1'}")
        return FactChange(entries["at"].moment(self._start), facts, entries["at"].place)

    def _span(self, spot: Spot) -> tuple[int, int]:
        entries = spot.entries(("from", "to"), required=("from", "to"))
        begin, end = (entries[key].moment(self._start) for key in ("from", "to"))
        if end <= begin:
            raise entries["to"].expected("a time after from")
        return begin, end

    def _replies(self, spot: Spot) -> dict[str, tuple[Reply, ...]]:
        replies = {}
        for action, entry in spot.entries().items():
            several = entry.items() if entry.is_list else [entry]
            if not several:
                raise entry.problem("expected a reply or several, the list is empty")
            replies[action] = tuple(_reply(item) for item in several)
        return replies


def _reply(spot: Spot) -> Reply:
    if not spot.is_mapping:
        return Reply(spot.choice(REPLY_STATES))
    entries = spot.entries(("state", "after", "result"), required=("state",))
    result = entries["result"].plain() if "result" in entries else {}
    if not isinstance(result, dict):
        raise entries["result"].expected("a mapping")
    return Reply(
        state=entries["state"].choice(REPLY_STATES),
        after_ms=entries["after"].duration() if "after" in entries else 0,
        result=result,
    )


def _items(entries: Mapping[str, Spot], key: str) -> list[Spot]:
    return entries[key].items() if key in entries else []

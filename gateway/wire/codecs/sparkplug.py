"""Sparkplug B: edge nodes and the devices behind them, protobuf on ``spBv1.0/GROUP/TYPE/NODE[/DEVICE]``.

Eclipse Sparkplug specification 3.0.0. A birth announces metrics, data may then refer to them by alias alone.
Publishers disagree on the rest, so little is asked for: a device may be born before its node, data before
any birth is taken where it names its metrics, a metric that is called ``DATA/x`` at birth and ``x`` later is
one metric, and whatever number a death carries, it is a death.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.sparkplug_message import DecodeError, Payload
from gateway.wire.codecs.sparkplug_metrics import MAX_NAME, name_of, unit_of, value_of
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.signalmap import SignalMap, fit

NAMESPACE = "spBv1.0"

MAX_METRICS = 2_000  # of one sender; more than a device can have signals is not remembered
MAX_SENDERS = 1_000  # behind one node, the node itself included
MAX_NODES = 5_000
MAX_REMEMBERED = 500_000  # metrics of all senders; the nodes that were born first are forgotten first

_FACTS = {"hardware-make": "manufacturer", "hardware-model": "model", "serial-number": "serial"}


class _Known(NamedTuple):
    """What a birth says of a metric."""

    name: str
    datatype: int
    unit: str | None
    alias: int | None


@dataclass(slots=True)
class _Sender:
    """A node, or a device behind one."""

    aliases: dict[int, _Known] = field(default_factory=dict)
    names: dict[str, _Known] = field(default_factory=dict)
    online: bool | None = None


class _Place(NamedTuple):
    """A topic taken apart; the device of a node's own messages is empty."""

    group: str
    kind: str
    node: str
    device: str


class Sparkplug(Codec):
    """Sparkplug B, version 1.0 of the payload."""

    NEEDS_TOPIC = True

    def __init__(self, signals: SignalMap, options: Mapping[str, object] | None = None) -> None:
        """Take the names of a source; nobody is known yet."""
        super().__init__(signals, options)
        self._nodes: dict[tuple[str, str], dict[str, _Sender]] = {}
        self._remembered = 0  # metrics

    def decode(self, message: Foreign) -> Iterator[Extract]:
        """Return what a node or device says; nothing for commands to them and for the state of hosts."""
        place = _place(message.topic)
        if place is None or place.kind.endswith("CMD"):
            return
        if place.kind.endswith("DEATH"):
            yield from _death(self._nodes.get((place.group, place.node), {}), place)
            return
        try:
            payload = Payload.FromString(message.payload)
        except DecodeError:
            raise Unusable(
                QuarantineReason.UNKNOWN_CODEC_PAYLOAD, "expected the protobuf message of Sparkplug B"
            ) from None
        sender = self._sender(place)
        if place.kind.endswith("BIRTH"):
            self._announce(sender, _announced(payload.metrics))
            sender.online = None
        yield from self._said(payload, place, sender)

    def _said(self, payload: Any, place: _Place, sender: _Sender) -> Iterator[Extract]:
        """Return the readings of a birth or of data, those of one time together."""
        name, sent = place.device or place.node, payload.timestamp or None
        extracts: dict[object, Extract] = {}
        first = extracts[sent] = Extract(name, ts=sent)
        if sender.online is not True:
            sender.online = first.online = True
        unknown: list[int] = []
        for metric in payload.metrics:
            known = _known(metric, sender)
            if known is None:
                unknown.append(metric.alias)
                continue
            ts = metric.timestamp or sent
            extract = extracts.setdefault(ts, Extract(name, ts=ts))
            try:
                self._take(metric, known, extract)
            except Unusable as finding:
                extract.refused.append((finding.reason, finding.detail))
        if unknown:
            first.refused.append((QuarantineReason.NOT_ANNOUNCED, _unknown(unknown)))
        yield from filter(None, extracts.values())

    def _take(self, metric: Any, known: _Known, extract: Extract) -> None:
        """Put what a metric says into an extract.

        Raises:
            Unusable: it is of no use; the detail names it.
        """
        if known.name in ("", "bdSeq") or self.signals.key(known.name) is None:
            return
        if metric.is_historical and not metric.timestamp:
            raise Unusable(
                QuarantineReason.TIMESTAMP_INVALID, f"{shown(known.name)}: historical and without a timestamp"
            )
        value = value_of(metric, known.name, known.datatype)
        fact = _fact(known.name)
        if fact is None:
            self.signals.place(extract.values, known.name, value, unit=known.unit)
        elif value is not None:
            extract.facts[fact] = value

    def _sender(self, place: _Place) -> _Sender:
        """Return what is known of a sender; the node that is known longest makes room for a new one."""
        node = self._nodes.setdefault((place.group, place.node), {})
        sender = node.get(place.device)
        if sender is None:
            sender = _Sender()
            if len(node) < MAX_SENDERS:
                node[place.device] = sender
            self._make_room()
        return sender

    def _announce(self, sender: _Sender, metrics: dict[str, _Known]) -> None:
        """Let metrics take the place of those that a sender announced before."""
        self._remembered += len(metrics) - len(sender.names)
        sender.names = metrics
        aliases = Counter(known.alias for known in metrics.values())
        # One alias for several metrics tells nothing; some publishers write 0 everywhere.
        sender.aliases = {
            known.alias: known
            for known in metrics.values()
            if known.alias is not None and aliases[known.alias] == 1
        }
        self._make_room()

    def _make_room(self) -> None:
        while len(self._nodes) > MAX_NODES or (self._remembered > MAX_REMEMBERED and len(self._nodes) > 1):
            gone = self._nodes.pop(next(iter(self._nodes)))
            self._remembered -= sum(len(sender.names) for sender in gone.values())

    def state(self) -> object:
        """Return the births of all senders."""
        return [
            [group, node, device, [list(known) for known in sender.names.values()]]
            for (group, node), senders in self._nodes.items()
            for device, sender in senders.items()
        ]

    def restore(self, state: object) -> None:
        """Take up births; whether their senders are still there they have to say themselves."""
        for row in state if isinstance(state, list) else []:
            match row:
                case [str() as group, str() as node, str() as device, list() as metrics]:
                    sender = self._sender(_Place(group, "NBIRTH", node, device))
                    known = [one for metric in metrics[:MAX_METRICS] if (one := _restored(metric))]
                    self._announce(sender, {one.name: one for one in known})
                case _:
                    pass


def _place(topic: str) -> _Place | None:
    """Take a topic apart; None for the state of a host, which is no device.

    A bridge may have put levels in front of the namespace.

    Raises:
        Unusable: it is not Sparkplug's.
    """
    levels = topic.split("/")
    start = levels.index(NAMESPACE) + 1 if NAMESPACE in levels else 0
    match levels[start:]:
        case ["STATE", _]:
            return None
        case [group, ("NBIRTH" | "NDATA" | "NDEATH" | "NCMD") as kind, node] if start and node:
            return _Place(group, kind, node, "")
        case [group, ("DBIRTH" | "DDATA" | "DDEATH" | "DCMD") as kind, node, device] if start and device:
            return _Place(group, kind, node, device)
    raise Unusable(
        QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
        f"expected a topic {NAMESPACE}/GROUP/TYPE/NODE[/DEVICE], got {shown(topic, 200)}",
    )


def _death(senders: dict[str, _Sender], place: _Place) -> Iterator[Extract]:
    """Return who is gone: a device, or a node with all devices behind it, whatever the message says."""
    gone = [place.device] if place.device else ["", *(device for device in senders if device)]
    for device in gone:
        if device in senders:
            senders[device].online = False
        yield Extract(device or place.node, online=False)


def _announced(metrics: Any) -> dict[str, _Known]:
    """Return the metrics of a birth by name."""
    announced: dict[str, _Known] = {}
    for metric in metrics[:MAX_METRICS]:
        name = name_of(metric)
        if name and len(name) <= MAX_NAME:
            alias = metric.alias if metric.HasField("alias") else None
            announced[name] = _Known(name, metric.datatype, unit_of(metric), alias)
    return announced


def _restored(metric: object) -> _Known | None:
    match metric:
        case [str() as name, int() as datatype, (str() | None) as unit, (int() | None) as alias]:
            return _Known(name, datatype, unit, alias) if len(name) <= MAX_NAME else None
    return None


def _known(metric: Any, sender: _Sender) -> _Known | None:
    """Return which metric is meant: by alias, then by name; None when neither says.

    A name that was announced is believed before an alias that belongs to another: after a birth that was
    missed, aliases are those of before and names still are what they say.
    """
    name = name_of(metric)
    known = sender.names.get(name)
    if known is None and metric.HasField("alias"):
        known = sender.aliases.get(metric.alias)
    if known is None and not name:
        return None
    if known is None:
        return _Known(name, metric.datatype, unit_of(metric), None)
    unit = unit_of(metric) or known.unit
    return known._replace(datatype=metric.datatype or known.datatype, unit=unit)


def _fact(name: str) -> str | None:
    """Return the fact that a metric under ``Properties/`` states; the specification keeps them there."""
    if not name.startswith("Properties/"):
        return None
    word = fit(name.removeprefix("Properties/").replace("/", ".")).lower()
    return _FACTS.get(word, word.replace("-", "_"))


def _unknown(aliases: list[int]) -> str:
    listed = ", ".join(map(str, aliases[:10])) + (", ..." if len(aliases) > 10 else "")
    return f"alias {listed}: expected a birth of this sender that names it"

"""Packets to readings and notices: the way from bytes to what the engine evaluates.

Total: any bytes on any topic give readings, notices or a reason, never an exception.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.ports import Inbound, Notice, NoticeKind, Packet
from gateway.wire.codecs import Extract, Foreign
from gateway.wire.columns import Columns
from gateway.wire.notices import checked_facts, read_facts, read_reply, read_status
from gateway.wire.reasons import QuarantineReason, Unusable
from gateway.wire.refusals import Refusals
from gateway.wire.sources import Source
from gateway.wire.telemetry import Sender, TelemetryReader
from gateway.wire.topics import Leaf, parse_topic
from rules.signals import Catalogue
from rules.symbols import DeviceId, Symbols


@dataclass(frozen=True, slots=True)
class _Route:
    """Where the packets of one topic go."""

    sender: Sender
    leaf: Leaf


class Decoder:
    """Decodes packets into batches that share one set of symbols.

    Attributes:
        root: first levels of the topics of contract section 1.
        max_payload: bytes; larger payloads are put aside unread.
    """

    def __init__(
        self,
        symbols: Symbols,
        catalogue: Catalogue,
        *,
        root: str = "fw",
        max_payload: int = 262_144,
        sources: Sequence[Source] = (),
    ) -> None:
        self.root = root
        self.max_payload = max_payload
        self._symbols = symbols
        self._sources = tuple(sources)
        self._telemetry = TelemetryReader(symbols, catalogue)
        for source in self._sources:
            source.use(catalogue)
        self._routes: dict[str, _Route] = {}
        self._senders: dict[DeviceId, Sender] = {}

    def use(self, catalogue: Catalogue) -> None:
        """Judge what comes from now on by another catalogue; what is known of senders stays."""
        self._telemetry = TelemetryReader(self._symbols, catalogue)
        for source in self._sources:
            source.use(catalogue)
        for sender in self._senders.values():
            sender.layout = None  # its messages were judged by the catalogue before

    @property
    def foreign(self) -> list[str]:
        """The topic filters of all sources."""
        return [topic for source in self._sources for topic in source.topics]

    def announced(self) -> list[object]:
        """Return what the formats of the sources announced, as JSON can hold it; see `Codec.state`."""
        return [
            {"topics": list(source.topics), "state": state}
            for source in self._sources
            if (state := source.codec.state()) is not None
        ]

    def restore(self, announced: list[object]) -> None:
        """Take up what `announced` had returned, for those sources that are still there."""
        for entry in announced:
            if isinstance(entry, dict):
                for source in self._sources:
                    if list(source.topics) == entry.get("topics"):
                        source.codec.restore(entry.get("state"))

    def decode(self, packets: Sequence[Packet]) -> Inbound:
        """Return what a batch of packets says, in the order of their arrival."""
        columns = Columns()
        notices: list[Notice] = []
        refusals = Refusals()
        for packet in packets:
            refusals.packet = packet
            messages, said = len(columns), len(notices)
            try:
                self._decode(packet, columns, notices, refusals)
            except Unusable as finding:
                refusals.unusable(finding)
            if packet.retained or packet.resubmitted:
                columns.retain(messages)
                notices[said:] = [replace(notice, retained=True) for notice in notices[said:]]
        return Inbound(columns.build(), tuple(notices), tuple(refusals.rejected))

    def _decode(self, packet: Packet, columns: Columns, notices: list[Notice], refusals: Refusals) -> None:
        """Read one packet.

        Raises:
            Unusable: nothing of it is of use.
        """
        if len(packet.payload) > self.max_payload:
            raise Unusable(
                QuarantineReason.PAYLOAD_TOO_LARGE,
                f"expected at most {self.max_payload:,} bytes, got {len(packet.payload):,}",
            )
        route = self._routes.get(packet.topic)
        if route is None:
            route = self._route(packet.topic)
        if route is None:
            self._read_foreign(packet, columns, notices, refusals)
        elif route.leaf is Leaf.TELEMETRY:
            self._telemetry.read(packet, route.sender, columns, refusals)
        else:
            notice = _notice(route.leaf, packet, refusals)
            if notice is not None:
                kind, body = notice
                number = self._symbols.devices.intern(route.sender.device)
                notices.append(Notice(kind, len(columns), number, packet.arrival, body))

    def _read_foreign(
        self, packet: Packet, columns: Columns, notices: list[Notice], refusals: Refusals
    ) -> None:
        """Read a packet of a foreign format: facts first, so that an exchanged part is known as such."""
        source = next(source for source in self._sources if source.takes(packet.topic))
        message = Foreign(packet.topic, packet.payload, packet.arrival)
        for device, extract in source.read(message):
            if isinstance(device, Unusable):
                refusals.unusable(device)
                continue
            for reason, detail in extract.refused:
                refusals.add(reason, detail)
            self._take(device, extract, columns, notices, refusals)

    def _take(
        self,
        device: DeviceId,
        extract: Extract,
        columns: Columns,
        notices: list[Notice],
        refusals: Refusals,
    ) -> None:
        """Take in what a foreign message says of one device."""
        packet, position = refusals.packet, len(columns)
        if extract.values:
            try:
                self._telemetry.append(packet, self._sender(device), extract, columns, refusals)
            except Unusable as finding:
                refusals.unusable(finding)
        said: list[tuple[NoticeKind, dict[str, object]]] = []
        if facts := checked_facts(extract.facts, refusals):
            said.append(("facts", facts))
        if extract.online is not None:
            said.append(("status", {"online": extract.online}))
        for kind, body in said:
            number = self._symbols.devices.intern(device)
            notices.append(Notice(kind, position, number, packet.arrival, body))

    def _route(self, topic: str) -> _Route | None:
        """Return where one of our own topics leads, None for a source's.

        Raises:
            Unusable: it is neither.
        """
        try:
            device, leaf = parse_topic(self.root, topic)
        except Unusable:
            if any(source.takes(topic) for source in self._sources):
                return None
            raise
        route = self._routes[topic] = _Route(self._sender(device), leaf)
        return route

    def _sender(self, device: DeviceId) -> Sender:
        return self._senders.setdefault(device, Sender(device))


def _notice(leaf: Leaf, packet: Packet, refusals: Refusals) -> tuple[NoticeKind, dict[str, object]] | None:
    """Return a notice's kind and body; None for what is nothing to us.

    Commands are our own. An empty payload on a retained topic clears what the broker kept (MQTT 3.1.1,
    3.3.1.3).

    Raises:
        Unusable: it should have been a notice.
    """
    match leaf:
        case Leaf.FACTS if packet.payload:
            return "facts", read_facts(packet.payload, refusals)
        case Leaf.STATUS if packet.payload:
            return "status", read_status(packet.payload)
        case Leaf.REPLY:
            return "reply", read_reply(packet.payload, refusals)
    return None

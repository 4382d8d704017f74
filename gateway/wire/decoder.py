"""Packets to readings and notices: the way from bytes to what the engine evaluates.

Total: any bytes on any topic give readings, notices or a reason, never an exception.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from gateway.ports import Inbound, Notice, NoticeKind, Packet, Packets
from gateway.wire.codecs import Extract, Foreign
from gateway.wire.columns import Parts, batch_of
from gateway.wire.ingest import INGEST, own_topic
from gateway.wire.notices import checked_facts, read_facts, read_reply, read_status
from gateway.wire.reasons import QuarantineReason, Unusable
from gateway.wire.refusals import Refusals
from gateway.wire.senders import Senders
from gateway.wire.sources import Source
from gateway.wire.telemetry import TelemetryReader
from gateway.wire.topics import Leaf, parse_topic
from rules.batch import Int32, Int64
from rules.signals import Catalogue
from rules.symbols import Symbols

#: A route is a sender's number times eight and one of these; what is on no topic of ours has `_FOREIGN`.
_LEAVES = tuple(Leaf)
_TELEMETRY, _FACTS, _STATUS, _COMMAND, _REPLY = range(len(_LEAVES))
_WIDTH = 8
_FOREIGN, _UNSEEN = -2, -1


@dataclass(frozen=True, slots=True)
class _Heard:
    """A notice before it is known how many messages came before it."""

    kind: NoticeKind
    packet: int
    sender: int
    body: dict[str, object]


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
        self._senders = Senders(symbols)
        self._telemetry = TelemetryReader(symbols, catalogue, self._senders)
        for source in self._sources:
            source.use(catalogue)
        self._routes: dict[bytes, int] = {}

    def use(self, catalogue: Catalogue) -> None:
        """Judge what comes from now on by another catalogue; what is known of senders stays."""
        self._senders.forget_layouts()  # they were judged by the catalogue before
        self._telemetry = TelemetryReader(self._symbols, catalogue, self._senders)
        for source in self._sources:
            source.use(catalogue)

    @property
    def foreign(self) -> list[str]:
        """The topic filters of all sources of which a broker can bring something."""
        topics = [topic for source in self._sources for topic in source.topics]
        return [topic for topic in topics if not topic.startswith(f"{INGEST}/")]

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

    def decode(self, packets: Packets | Sequence[Packet]) -> Inbound:
        """Return what a batch of packets says, in the order of their arrival."""
        batch = packets if isinstance(packets, Packets) else Packets.of(packets)
        refusals, parts = Refusals(batch), Parts()
        heard: list[_Heard] = []
        routes = self._routes_of(batch, refusals)
        if batch.payloads and max(map(len, batch.payloads)) > self.max_payload:
            self._refuse_large(batch, routes, refusals)
        leaves = routes % _WIDTH
        telemetry = np.flatnonzero((routes >= 0) & (leaves == _TELEMETRY))
        owners = (routes[telemetry] // _WIDTH).tolist()
        whole = self._telemetry.read(batch, telemetry.tolist(), owners, parts, refusals)
        for position in np.flatnonzero(
            (routes == _FOREIGN) | ((routes >= 0) & (leaves != _TELEMETRY))
        ).tolist():
            refusals.position = position
            try:
                self._read(int(routes[position]), parts, heard, refusals)
            except Unusable as finding:
                refusals.unusable(finding)
        slow = parts.piece()
        readings, rows = batch_of([piece for piece in (whole, slow) if piece is not None], batch)
        return Inbound(readings, self._notices(heard, rows, batch), refusals.in_order(), rows)

    def _routes_of(self, batch: Packets, refusals: Refusals) -> Int64:
        """Return [P] int64 where each packet leads; -1 for those that lead nowhere, which are put aside."""
        found = np.fromiter(
            map(self._routes.get, batch.topics, repeat(_UNSEEN)), dtype=np.int64, count=len(batch)
        )
        for position in np.flatnonzero(found == _UNSEEN).tolist():
            refusals.position = position
            try:
                topic = batch.topics[position]
                found[position] = self._routes.get(topic, _UNSEEN)
                if found[position] == _UNSEEN:
                    found[position] = self._route(topic)
            except Unusable as finding:
                refusals.unusable(finding)
        return found

    def _refuse_large(self, batch: Packets, routes: Int64, refusals: Refusals) -> None:
        for position, payload in enumerate(batch.payloads):
            if len(payload) > self.max_payload and routes[position] != _UNSEEN:
                routes[position], refusals.position = _UNSEEN, position
                refusals.add(
                    QuarantineReason.PAYLOAD_TOO_LARGE,
                    f"expected at most {self.max_payload:,} bytes, got {len(payload):,}",
                )

    def _read(self, route: int, parts: Parts, heard: list[_Heard], refusals: Refusals) -> None:
        """Read one packet that is no telemetry of our own form.

        Raises:
            Unusable: nothing of it is of use.
        """
        if route == _FOREIGN:
            self._read_foreign(parts, heard, refusals)
            return
        notice = _notice(_LEAVES[route % _WIDTH], refusals)
        if notice is not None:
            kind, body = notice
            heard.append(_Heard(kind, refusals.position, route // _WIDTH, body))

    def _read_foreign(self, parts: Parts, heard: list[_Heard], refusals: Refusals) -> None:
        """Read a packet of a foreign format: facts first, so that an exchanged part is known as such."""
        packet = refusals.packets.packet(refusals.position)
        source = next(source for source in self._sources if source.takes(packet.topic))
        for place, (device, extract) in enumerate(
            source.read(Foreign(packet.topic, packet.payload, packet.arrival))
        ):
            if isinstance(device, Unusable):
                refusals.unusable(device)
                continue
            for reason, detail in extract.refused:
                refusals.add(reason, detail)
            sender = self._senders.sender(device)
            if extract.values:
                try:
                    self._telemetry.append(sender, place, extract, parts, refusals)
                except Unusable as finding:
                    refusals.unusable(finding)
            self._hear(sender, extract, heard, refusals)

    def _hear(self, sender: int, extract: Extract, heard: list[_Heard], refusals: Refusals) -> None:
        """Take in what a foreign message says of a device that is not telemetry."""
        if facts := checked_facts(extract.facts, refusals):
            heard.append(_Heard("facts", refusals.position, sender, facts))
        if extract.online is not None:
            heard.append(_Heard("status", refusals.position, sender, {"online": extract.online}))

    def _notices(self, heard: list[_Heard], rows: Int32, batch: Packets) -> tuple[Notice, ...]:
        """Return what was heard as notices, each with the number of messages of earlier packets."""
        before = np.searchsorted(rows, [notice.packet for notice in heard]).tolist()
        return tuple(
            Notice(
                notice.kind,
                position,
                self._senders.number(notice.sender),
                batch.arrivals[notice.packet],
                notice.body,
                notice.packet,
                retained=batch.retained[notice.packet] or notice.packet in batch.resubmitted,
            )
            for position, notice in zip(before, heard, strict=True)
        )

    def _route(self, topic: bytes) -> int:
        """Return where one of our own topics leads, `_FOREIGN` for a source's.

        Raises:
            Unusable: it is neither.
        """
        text = topic.decode("utf-8", "replace")
        try:
            device, leaf = parse_topic(self.root, own_topic(self.root, text))
        except Unusable:
            if any(source.takes(text) for source in self._sources):
                return _FOREIGN
            raise
        route = self._routes[topic] = self._senders.sender(device) * _WIDTH + _LEAVES.index(leaf)
        return route


def _notice(leaf: Leaf, refusals: Refusals) -> tuple[NoticeKind, dict[str, object]] | None:
    """Return kind and body of the notice in the packet that is being read; None for what is nothing to us.

    Commands are our own. An empty payload on a retained topic clears what the broker kept (MQTT 3.1.1,
    3.3.1.3).

    Raises:
        Unusable: it should have been a notice.
    """
    payload = refusals.packets.payloads[refusals.position]
    match leaf:
        case Leaf.FACTS if payload:
            return "facts", read_facts(payload, refusals)
        case Leaf.STATUS if payload:
            return "status", read_status(payload)
        case Leaf.REPLY:
            return "reply", read_reply(payload, refusals)
    return None

"""Telemetry payloads to rows: ``{"ts", "values"}``, a list of these, or bare ``{"key": value}``.

Payloads in the full form, which are nearly all, are decoded a thousand at a time (`_lines`); the rest one by
one by the lenient parser. Messages whose keys and types were judged before (`Layouts`) become columns
together; another one is looked at reading by reading, where each part that is of no use gets its reason and
the rest is kept.
"""

from collections.abc import Mapping
from itertools import chain, repeat
from typing import Any

import msgspec
import numpy as np

from gateway.ports import Packets
from gateway.wire.codecs import Extract
from gateway.wire.columns import PLACES, Parts, Piece, order_of
from gateway.wire.documents import Broken, parse_document
from gateway.wire.layouts import Layouts
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.refusals import Refusals
from gateway.wire.senders import MAX_AHEAD_MS, MAX_TEXTS, Senders
from gateway.wire.values import checked_value, is_key, is_short_text
from rules.batch import Bool, Int64, Kind, Value
from rules.signals import Catalogue
from rules.symbols import Channel, Symbols
from rules.times import parse_instant, to_rfc3339

#: More distinct signals no device has; a sender that makes up names would fill memory.
MAX_CHANNELS = 2_000

_BLOCK = 1_024  # payloads that are decoded in one go
_SMALL = 16  # of so few it is not worth while to look for the one that spoils them


class Envelope(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One message in its full form, with values of which each is fit for a column."""

    values: dict[str, float | bool | str | None]
    ts: int | float | str | None = None


_DECODER = msgspec.json.Decoder(Envelope)
_DECODE_LIST = msgspec.json.Decoder(list[Envelope]).decode
_NOT_THIS_WAY = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Messages:
    """Messages in order of their packets: columns of position, place in the packet, sender, time, values."""

    def __init__(self) -> None:
        self.packet: list[int] = []
        self.place: list[int] = []
        self.sender: list[int] = []
        self.ts: list[Any] = []  # int
        self.values: list[dict[str, Any]] = []

    def add(self, packet: int, place: int, sender: int, ts: int, values: dict[str, Any]) -> None:
        self.packet.append(packet)
        self.place.append(place)
        self.sender.append(sender)
        self.ts.append(ts)
        self.values.append(values)


class TelemetryReader:
    """Turns telemetry payloads into columns."""

    def __init__(self, symbols: Symbols, catalogue: Catalogue, senders: Senders) -> None:
        self._symbols = symbols
        self._catalogue = catalogue
        self._layouts = Layouts(symbols, catalogue)
        self._senders = senders
        self._admitted: set[tuple[int, int]] = set()  # (sender, layout) of which we know that it may

    def read(
        self, packets: Packets, chosen: list[int], owners: list[int], parts: Parts, refusals: Refusals
    ) -> Piece | None:
        """Return the messages of telemetry packets as columns; what has to be looked at goes to `parts`.

        Args:
            packets: all of the batch.
            chosen: positions of those that are telemetry, in order.
            owners: the sender of each of them.
            parts: takes the messages that do not fit into columns as they are.
            refusals: takes what is of no use.
        """
        messages = _Messages()
        for begin in range(0, len(chosen), _BLOCK):
            end = begin + _BLOCK
            self._block(packets, chosen[begin:end], owners[begin:end], messages, refusals)
        return self._columns(messages, parts, refusals) if messages.packet else None

    def append(self, sender: int, place: int, extract: Extract, parts: Parts, refusals: Refusals) -> None:
        """Append one message that a codec took out of a foreign document, where it is the `place`-th.

        Raises:
            Unusable: its time is of no use.
        """
        ts = self._time(extract.ts, refusals.packets, refusals.position, sender)
        head = (order_of(refusals.position, place), sender, ts)
        self._append_parts(head, extract.values, parts, refusals)

    # Payloads to messages

    def _block(
        self,
        packets: Packets,
        chosen: list[int],
        owners: list[int],
        messages: _Messages,
        refusals: Refusals,
    ) -> None:
        """Read some packets together, or, where one of them spoils that, in halves."""
        payloads = list(map(packets.payloads.__getitem__, chosen))
        envelopes = _lines(payloads)
        if envelopes is not None:
            times = [envelope.ts for envelope in envelopes]
            if self._are_times(times, packets, chosen):
                messages.packet += chosen
                messages.place += repeat(0, len(chosen))
                messages.sender += owners
                messages.ts += times
                messages.values += [envelope.values for envelope in envelopes]
                return
        if len(chosen) > _SMALL:
            middle = len(chosen) // 2
            self._block(packets, chosen[:middle], owners[:middle], messages, refusals)
            self._block(packets, chosen[middle:], owners[middle:], messages, refusals)
            return
        for position, sender in zip(chosen, owners, strict=True):
            refusals.position = position
            for place, (ts, values) in enumerate(self._messages(packets, position, sender, refusals)):
                messages.add(position, place, sender, ts, values)

    @staticmethod
    def _are_times(times: list[Any], packets: Packets, chosen: list[int]) -> bool:
        """Say whether all are milliseconds that may be."""
        if set(map(type, times)) != {int}:
            return False
        latest = packets.arrivals[chosen[0]] + MAX_AHEAD_MS  # later ones arrived no earlier
        return bool(min(times) >= 0 and max(times) <= latest)

    def _messages(
        self, packets: Packets, position: int, sender: int, refusals: Refusals
    ) -> list[tuple[int, dict[str, Any]]]:
        """Return the messages of one packet, oldest first, and put aside what is of no use."""
        payload = packets.payloads[position]
        try:
            envelopes = _DECODE_LIST(payload) if payload[:1] == b"[" else [_DECODER.decode(payload)]
            dated = [(self._time(e.ts, packets, position, sender), e.values) for e in envelopes]
        except (*_NOT_THIS_WAY, Unusable):
            dated = self._parsed(packets, position, sender, refusals)
        dated.sort(key=_time_of)
        return dated

    def _parsed(
        self, packets: Packets, position: int, sender: int, refusals: Refusals
    ) -> list[tuple[int, dict[str, Any]]]:
        """Return the messages of a payload that is not in the full form, or not all of use."""
        try:
            document = parse_document(packets.payloads[position])
        except Unusable as finding:
            refusals.unusable(finding)
            return []
        messages = []
        for place, element in enumerate(document if isinstance(document, list) else [document]):
            where = f"[{place}]" if isinstance(document, list) else ""
            try:
                ts, values = _taken_apart(element, where, refusals)
                messages.append((self._time(ts, packets, position, sender), values))
            except Unusable as finding:
                refusals.unusable(finding, where)
        return messages

    def _time(self, ts: object, packets: Packets, position: int, sender: int) -> int:
        """Return the time of a sender's message in a packet.

        Raises:
            Unusable: it cannot be dated.
        """
        arrival = packets.arrivals[position]
        if type(ts) is int and 0 <= ts <= arrival + MAX_AHEAD_MS:
            return ts
        if ts is not None:
            return checked_time(ts, arrival)
        if packets.retained[position]:
            raise Unusable(
                QuarantineReason.RETAINED_WITHOUT_TIME, "retained and without ts: it may be of any age"
            )
        return arrival if position in packets.resubmitted else self._senders.date(sender, arrival)

    # Messages to columns

    def _columns(self, messages: _Messages, parts: Parts, refusals: Refusals) -> Piece:
        """Return the messages whose layouts are known, and look at the others one by one."""
        if self._layouts.full:
            self._layouts = Layouts(self._symbols, self._catalogue)
            self._admitted.clear()
            self._senders.forget_layouts()
        cells: list[Any] = list(chain.from_iterable(map(dict.values, messages.values)))
        layouts = self._layouts_of(messages.values, plain=set(map(type, cells)) <= {float})
        senders = np.array(messages.sender, dtype=np.int64)
        order = np.array(messages.packet, dtype=np.int64) << PLACES | np.array(messages.place, dtype=np.int64)
        doubted = np.flatnonzero((layouts < 0) | (self._senders.layouts(senders) != layouts))
        for row in doubted.tolist():
            layouts[row] = self._admit(messages.sender[row], int(layouts[row]), messages.values[row])
        channels, kinds, starts, unsettled = self._layouts.columns()
        sizes = np.fromiter(map(len, messages.values), dtype=np.int64, count=len(messages.values))
        ends = np.cumsum(sizes)
        for row in np.flatnonzero((layouts >= 0) & _at(unsettled, layouts)).tolist():
            begin = int(ends[row] - sizes[row])
            if not self._settle(messages.sender[row], int(layouts[row]), cells, begin):
                layouts[row] = -1
        for row in np.flatnonzero(layouts < 0).tolist():
            cells[int(ends[row] - sizes[row]) : int(ends[row])] = repeat(None, int(sizes[row]))
            refusals.position = messages.packet[row]
            head = (int(order[row]), messages.sender[row], messages.ts[row])
            self._append_parts(head, messages.values[row], parts, refusals)
        kept = layouts >= 0
        values = np.array(cells, dtype=np.float64)
        if not kept.all():
            values = values[np.repeat(kept, sizes)]
            layouts, senders, sizes = layouts[kept], senders[kept], sizes[kept]
        ends = np.cumsum(sizes)
        places = np.repeat(starts[layouts] - (ends - sizes), sizes) + np.arange(len(values))
        return Piece(
            order=order[kept],
            device=self._senders.numbers(senders),
            ts=np.array(messages.ts, dtype=np.int64)[kept],
            sizes=sizes.astype(np.int32),
            channel=channels[places],
            value=values,
            kind=kinds[places],
        )

    def _layouts_of(self, values: list[dict[str, Any]], *, plain: bool) -> Int64:
        """Return [M] int64 the layout of each message, -1 for one that is not known."""
        if plain:
            get = self._layouts.plain.get
            found = [get(keys, -1) for keys in map(tuple, values)]
        else:
            of = self._layouts.typed.get
            found = [of((tuple(message), tuple(map(type, message.values()))), -1) for message in values]
        return np.fromiter(found, dtype=np.int64, count=len(values))

    def _admit(self, sender: int, layout: int, values: Mapping[str, Any]) -> int:
        """Return the layout of a sender's message, planned where it is new; -1 when it may not have it."""
        known = self._senders.known(sender)
        if layout < 0:
            keys, types = tuple(values), tuple(map(type, values.values()))
            found = self._layouts.typed.get((keys, types))
            planned = self._layouts.plan(keys, types, known, MAX_CHANNELS) if found is None else found
            if planned is None:
                return -1
            layout = planned
        if (sender, layout) not in self._admitted:
            numbers = self._layouts.all[layout].numbers
            if not numbers <= known:
                if len(known | numbers) > MAX_CHANNELS:
                    return -1
                self._senders.remember(sender, numbers)
            if len(self._admitted) >= _MOST_ADMITTED:
                self._admitted.clear()
            self._admitted.add((sender, layout))
        self._senders.lay_out(sender, layout)
        return layout

    def _settle(self, sender: int, number: int, cells: list[Any], begin: int) -> bool:
        """Look at the values that a layout cannot vouch for and put numbers in the place of texts."""
        layout = self._layouts.all[number]
        if any(cells[begin + position] not in (0.0, 1.0) for position in layout.flags):
            return False
        numbers = [self._text(sender, str(cells[begin + position])) for position in layout.texts]
        if None in numbers:
            return False
        for position, text in zip(layout.texts, numbers, strict=True):
            cells[begin + position] = text
        return True

    def _text(self, sender: int, text: str) -> int | None:
        """Return the number of a text, None when the text or another one of this sender is too much."""
        number = self._symbols.texts.index.get(text)
        if number is None and is_short_text(text) and self._senders.may_name_text(sender):
            number = self._symbols.texts.intern(text)
        return number

    # A message reading by reading

    def _append_parts(
        self, head: tuple[int, int, int], values: Mapping[str, object], parts: Parts, refusals: Refusals
    ) -> None:
        """Append a message reading by reading; one that is of no use is kept as unknown.

        Args:
            head: order, sender and time of the message.
            values: by key, not yet checked.
            parts: takes the message.
            refusals: takes what is of no use.
        """
        order, sender, ts = head
        numbers: list[int] = []
        kinds: list[Kind] = []
        cells: list[Value] = []
        new: set[int] = set()
        known = self._senders.known(sender)
        for key, raw in values.items():
            if not is_key(key):
                refusals.add(
                    QuarantineReason.BAD_KEY, f"expected SIGNAL or SIGNAL@COMPONENT, got {shown(key, 140)}"
                )
                continue
            if self._layouts.count_new((key,), known):
                if len(known) + len(new) >= MAX_CHANNELS:
                    refusals.add(
                        QuarantineReason.TOO_MANY_SIGNALS,
                        f"{key}: the device has named {MAX_CHANNELS} distinct signals before",
                    )
                    continue
                new.add(self._symbols.channel(key))
            kind, cell = self._reading(sender, refusals, key, raw)
            numbers.append(self._symbols.channel(key))
            kinds.append(kind)
            cells.append(cell)
        if new:
            self._senders.remember(sender, frozenset(new))
        parts.add((order, self._senders.number(sender), ts), numbers, kinds, cells)

    def _reading(self, sender: int, refusals: Refusals, key: str, raw: object) -> tuple[Kind, Value]:
        """Return kind and cell of one value: unknown, and put aside, where it is of no use."""
        signal = self._catalogue.get(Channel.parse(key).signal)
        try:
            value = checked_value(raw, signal.kind if signal else None)
        except Unusable as finding:
            refusals.unusable(finding, key)
            return Kind.UNKNOWN, None
        if isinstance(value, str):
            number = self._text(sender, value)
            if number is None:
                refusals.add(
                    QuarantineReason.TOO_MANY_TEXTS,
                    f"{key}: the device has sent {MAX_TEXTS} distinct texts before",
                )
                return Kind.UNKNOWN, None
            return Kind.TEXT, number
        if value is None:
            return Kind.UNKNOWN, None
        return (Kind.BOOLEAN if isinstance(value, bool) else Kind.NUMBER), value


_MOST_ADMITTED = 1_000_000


def _at(flags: Bool, layouts: Int64) -> Bool:
    """Return the flag of each layout, for -1 whatever."""
    return flags[layouts] if len(flags) else np.zeros(len(layouts), dtype=np.bool_)


def _lines(payloads: list[bytes]) -> list[Envelope] | None:
    """Decode payloads in the full form in one go, one a line; None when they cannot be.

    That each line is one message, and the message of its own payload, follows from this: no payload holds a
    line break, each begins with ``{`` and ends with ``}``, and the lines are JSON documents one after the
    other. Inside of a document ``}`` is never followed by ``{``, and a text holds no bare line break; so no
    document goes on past the end of its line, and as many documents as lines are one in each.
    """
    joined = b"\n".join(payloads)
    breaks = len(payloads) - 1
    if joined[:1] != b"{" or joined[-1:] != b"}":
        return None
    if joined.count(b"\n") != breaks or joined.count(b"}\n{") != breaks:
        return None
    try:
        envelopes = _DECODER.decode_lines(joined)
    except _NOT_THIS_WAY:
        return None
    return envelopes if len(envelopes) == len(payloads) else None


def _taken_apart(element: object, where: str, refusals: Refusals) -> tuple[object, dict[str, Any]]:
    """Return time and values of one element of a payload.

    Raises:
        Unusable: it is no message.
    """
    if not isinstance(element, dict):
        raise Unusable(
            QuarantineReason.NOT_AN_OBJECT,
            f'expected {{"ts": ..., "values": {{...}}}} or {{"key": value}}, got {named(element)}',
        )
    rest = {key: _as_float(value) for key, value in element.items() if key != "ts"}
    if "values" not in rest:
        return element.get("ts"), rest
    values = rest.pop("values")
    for key in rest:
        refusals.add(
            QuarantineReason.UNEXPECTED_KEY, f"{where}: expected ts and values alone, got {shown(key)}"
        )
    if not isinstance(values, dict):
        raise Unusable(QuarantineReason.WRONG_TYPE, f"values: expected an object, got {named(values)}")
    return element.get("ts"), values


def checked_time(ts: object, arrival: int) -> int:
    """Return the ms since 1970 UTC that a message's ``ts`` names.

    Raises:
        Unusable: reason timestamp_invalid or timestamp_in_future.
    """
    if isinstance(ts, bool) or not isinstance(ts, int | float | str):
        got = ts.text if isinstance(ts, Broken) else named(ts)
        raise Unusable(
            QuarantineReason.TIMESTAMP_INVALID, f"ts: expected milliseconds since 1970 or RFC 3339, got {got}"
        )
    try:
        instant = parse_instant(ts)
    except (ValueError, OverflowError):
        raise Unusable(
            QuarantineReason.TIMESTAMP_INVALID,
            f"ts: expected milliseconds since 1970 or RFC 3339, got {shown(ts)}",
        ) from None
    if instant > arrival + MAX_AHEAD_MS:
        raise Unusable(
            QuarantineReason.TIMESTAMP_IN_FUTURE,
            f"ts: {to_rfc3339(instant)} is more than five minutes ahead of arrival at {to_rfc3339(arrival)}",
        )
    return instant


def _as_float(value: object) -> object:
    """Return an integer as the float that the fast decoder would have made of it."""
    return float(value) if type(value) is int and -(2**63) <= value < 2**63 else value


def _time_of(message: tuple[int, Mapping[str, object]]) -> int:
    return message[0]


def named(value: object) -> str:
    """Return what kind of JSON value stood there."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float() | Broken():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
    return "an object"

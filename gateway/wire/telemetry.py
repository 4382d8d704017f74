"""Telemetry payloads to rows: ``{"ts", "values"}``, a list of these, or bare ``{"key": value}``.

Most payloads decode straight into `Envelope`, the rest by way of the lenient parser. A message whose keys and
types were judged before (`Layout`) is appended as a whole; another one reading by reading, where each part
that is of no use gets its reason and the rest is kept.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from gateway.ports import Packet
from gateway.wire.codecs import Extract
from gateway.wire.columns import Columns
from gateway.wire.documents import Broken, parse_document
from gateway.wire.layouts import Layout, Layouts
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.refusals import Refusals
from gateway.wire.values import checked_value, is_key, is_short_text
from rules.batch import Kind, Value
from rules.signals import Catalogue
from rules.symbols import Channel, DeviceId, Symbols
from rules.times import MINUTE_MS, parse_instant, to_rfc3339

#: A clock that runs ahead by more is wrong (contract section 2).
MAX_AHEAD_MS = 5 * MINUTE_MS

#: More distinct signals, or distinct texts, no device has; a sender that makes up names would fill memory.
MAX_CHANNELS = 2_000
MAX_TEXTS = 2_000


class Envelope(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One message in its full form, with values of which each is fit for a column."""

    values: dict[str, float | bool | str | None]
    ts: int | float | str | None = None


@dataclass(slots=True)
class Sender:
    """A device that sends telemetry, and what the decoder remembers of it.

    Attributes:
        number: in `Symbols.devices`, -1 until it sent something of use.
        layout: of its latest message.
        known: the channels it has named so far; equal sets are one object.
        texts: how many texts it was the first to send.
        dated: the time that its latest message without one was given.
    """

    device: DeviceId
    number: int = -1
    layout: Layout | None = None
    known: frozenset[int] = field(default_factory=frozenset)
    texts: int = 0
    dated: int = -1

    def date(self, arrival: int) -> int:
        """Return the time of a message that has none: that of its arrival.

        What waited at the broker arrives at one instant. Messages of one device are told apart all the same,
        a millisecond each, or all but the first would be taken for repetitions of it.
        """
        self.dated = min(max(arrival, self.dated + 1), arrival + MAX_AHEAD_MS)
        return self.dated


_DECODE_ONE = msgspec.json.Decoder(Envelope).decode
_DECODE_LIST = msgspec.json.Decoder(list[Envelope]).decode
_NOT_THIS_WAY = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Unusable)
_MAX_SHARED_SETS = 4_096


class TelemetryReader:
    """Turns telemetry payloads into rows of `Columns`."""

    def __init__(self, symbols: Symbols, catalogue: Catalogue) -> None:
        self._symbols = symbols
        self._catalogue = catalogue
        self._layouts = Layouts(symbols, catalogue)
        self._shared_sets: dict[frozenset[int], frozenset[int]] = {}

    def read(self, packet: Packet, sender: Sender, columns: Columns, refusals: Refusals) -> None:
        """Append the messages of a packet, oldest first, and put aside what is of no use."""
        payload, arrival = packet.payload, packet.arrival
        try:
            if payload[:1] != b"[":
                envelope = _DECODE_ONE(payload)
                messages = [(_time(envelope.ts, packet, sender), envelope.values)]
            else:
                decoded = _DECODE_LIST(payload)
                messages = [(_time(message.ts, packet, sender), message.values) for message in decoded]
                messages.sort(key=_time_of)
        except _NOT_THIS_WAY:
            messages = self._messages(packet, sender, refusals)
        for ts, values in messages:
            if not self._append_whole(sender, ts, arrival, values, columns):
                self._append_parts(sender, ts, values, columns, refusals)

    def append(
        self, packet: Packet, sender: Sender, extract: Extract, columns: Columns, refusals: Refusals
    ) -> None:
        """Append one message that a codec took out of a foreign document.

        Raises:
            Unusable: its time is of no use.
        """
        ts = _time(extract.ts, packet, sender)
        self._append_parts(sender, ts, extract.values, columns, refusals)

    def _append_whole(
        self, sender: Sender, ts: int, arrival: int, values: Mapping[str, Any], columns: Columns
    ) -> bool:
        """Append a message as a whole; return False, with nothing done, when it has to be looked at."""
        shape = (tuple(values), tuple(map(type, values.values())))
        layout = self._layouts.get(shape) or self._layouts.plan(shape, sender.known, MAX_CHANNELS)
        if layout is None or (layout is not sender.layout and not self._admit(sender, layout)):
            return False
        cells: Iterable[Value] = values.values()
        if layout.flags or layout.texts:
            cells = settled = list(cells)
            if not self._settle(sender, layout, settled):
                return False
        if sender.number < 0:
            sender.number = self._symbols.devices.intern(sender.device)
        columns.add((sender.number, ts, arrival, layout.channels, layout.kinds), cells)
        return True

    def _settle(self, sender: Sender, layout: Layout, cells: list[Value]) -> bool:
        """Look at the values that a layout cannot vouch for and put numbers in the place of texts."""
        if any(cells[position] not in (0.0, 1.0) for position in layout.flags):
            return False
        for position in layout.texts:
            number = self._text(sender, str(cells[position]))
            if number is None:
                return False
            cells[position] = number
        return True

    def _admit(self, sender: Sender, layout: Layout) -> bool:
        """Say whether the sender may name a layout's channels, and remember that it did."""
        if not layout.numbers <= sender.known:
            if len(sender.known | layout.numbers) > MAX_CHANNELS:
                return False
            self._remember(sender, layout.numbers)
        sender.layout = layout
        return True

    def _remember(self, sender: Sender, numbers: frozenset[int]) -> None:
        """Add channels to those the sender is known for; senders of one kind share one set."""
        if len(self._shared_sets) >= _MAX_SHARED_SETS:
            self._shared_sets.clear()
        known = sender.known | numbers
        sender.known = self._shared_sets.setdefault(known, known)

    def _text(self, sender: Sender, text: str) -> int | None:
        """Return the number of a text, None when the text or another one of this sender is too much."""
        number = self._symbols.texts.index.get(text)
        if number is None and is_short_text(text) and sender.texts < MAX_TEXTS:
            sender.texts += 1
            number = self._symbols.texts.intern(text)
        return number

    def _messages(
        self, packet: Packet, sender: Sender, refusals: Refusals
    ) -> list[tuple[int, dict[str, Any]]]:
        """Return the messages of a payload that is not in the full form, or not all of use."""
        try:
            document = parse_document(packet.payload)
        except Unusable as finding:
            refusals.unusable(finding)
            return []
        messages = []
        for position, element in enumerate(document if isinstance(document, list) else [document]):
            where = f"[{position}]" if isinstance(document, list) else ""
            try:
                messages.append(_message(packet, sender, element, where, refusals))
            except Unusable as finding:
                refusals.unusable(finding, where)
        messages.sort(key=_time_of)
        return messages

    def _append_parts(
        self,
        sender: Sender,
        ts: int,
        values: Mapping[str, object],
        columns: Columns,
        refusals: Refusals,
    ) -> None:
        """Append a message reading by reading; one that is of no use is kept as unknown."""
        numbers: list[int] = []
        kinds: list[Kind] = []
        cells: list[Value] = []
        new: set[int] = set()
        for key, raw in values.items():
            if not is_key(key):
                refusals.add(
                    QuarantineReason.BAD_KEY, f"expected SIGNAL or SIGNAL@COMPONENT, got {shown(key, 140)}"
                )
                continue
            if self._layouts.count_new((key,), sender.known):
                if len(sender.known) + len(new) >= MAX_CHANNELS:
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
            self._remember(sender, frozenset(new))
        if sender.number < 0:
            sender.number = self._symbols.devices.intern(sender.device)
        channels = np.array(numbers, dtype=np.int32).tobytes()
        columns.add((sender.number, ts, refusals.packet.arrival, channels, bytes(kinds)), cells)

    def _reading(self, sender: Sender, refusals: Refusals, key: str, raw: object) -> tuple[Kind, Value]:
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


def _message(
    packet: Packet, sender: Sender, element: object, where: str, refusals: Refusals
) -> tuple[int, dict[str, Any]]:
    """Return time and values of one element of a payload.

    Raises:
        Unusable: it is no message, or cannot be dated.
    """
    if not isinstance(element, dict):
        raise Unusable(
            QuarantineReason.NOT_AN_OBJECT,
            f'expected {{"ts": ..., "values": {{...}}}} or {{"key": value}}, got {named(element)}',
        )
    ts = _time(element.get("ts"), packet, sender)
    rest = {key: _as_float(value) for key, value in element.items() if key != "ts"}
    if "values" not in rest:
        return ts, rest
    values = rest.pop("values")
    for key in rest:
        refusals.add(
            QuarantineReason.UNEXPECTED_KEY, f"{where}: expected ts and values alone, got {shown(key)}"
        )
    if not isinstance(values, dict):
        raise Unusable(QuarantineReason.WRONG_TYPE, f"values: expected an object, got {named(values)}")
    return ts, values


def _time(ts: object, packet: Packet, sender: Sender) -> int:
    """Return the time of a sender's message in a packet.

    Raises:
        Unusable: it cannot be dated.
    """
    if type(ts) is int and 0 <= ts <= packet.arrival + MAX_AHEAD_MS:
        return ts
    if ts is not None:
        return checked_time(ts, packet.arrival)
    if packet.retained:
        raise Unusable(
            QuarantineReason.RETAINED_WITHOUT_TIME, "retained and without ts: it may be of any age"
        )
    return packet.arrival if packet.resubmitted else sender.date(packet.arrival)


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

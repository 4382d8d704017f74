"""Replay: JSON Lines through the same journey as `run`, with nothing performed and all effects collected."""

import base64
import binascii
import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from diagnostics.case import CaseEvent
from diagnostics.decision import Decision
from diagnostics.orders.model import ServiceOrder
from gateway.errors import UserError
from gateway.pipeline import Effects, Pipeline
from gateway.ports import Packet, Rejected
from gateway.wire.decoder import Decoder
from rules.times import to_rfc3339

BATCH = 20_000
_MOST_COMPLAINTS = 20


class _Line(msgspec.Struct):
    topic: str
    ts: int | None = None
    payload: msgspec.Raw = msgspec.Raw()  # empty: not given
    payload_b64: str | None = None
    retained: bool = False


@dataclass(slots=True)
class Collected:
    """What a replay would have opened, in order of time whatever the order of devices in the files.

    Attributes:
        messages: lines that were read.
        complaints: sentences about lines that could not be used, the first few.
        unusable: how many there were.
    """

    orders: list[ServiceOrder] = field(default_factory=list)
    events: list[CaseEvent] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    messages: int = 0
    unusable: int = 0
    complaints: list[str] = field(default_factory=list)

    def take(self, effects: Effects) -> None:
        """Add what a batch led to."""
        self.orders += effects.write.orders
        for change in effects.write.changes:
            self.orders = [
                change.applied(order) if order.order_id == change.order_id else order for order in self.orders
            ]
        self.events += effects.write.events
        self.decisions += effects.write.decisions
        for rejected in effects.write.rejected:
            self.complain(f"{rejected.topic}: {rejected.reason}: {rejected.detail}")

    def complain(self, sentence: str) -> None:
        """Note that something could not be used."""
        self.unusable += 1
        if len(self.complaints) < _MOST_COMPLAINTS:
            self.complaints.append(sentence)

    def order_lines(self) -> Iterator[dict[str, Any]]:
        """Return the orders, oldest first."""
        for order in sorted(self.orders, key=lambda o: (o.opened_at, o.order_id)):
            yield order.document()

    def case_lines(self) -> Iterator[dict[str, Any]]:
        """Return the events of cases, oldest first."""
        for event in sorted(self.events, key=_in_time):
            yield event.line()

    def ledger_lines(self) -> Iterator[dict[str, Any]]:
        """Return the decisions, oldest first."""
        for decision in sorted(self.decisions, key=_in_time):
            line = decision.model_dump(mode="json")
            line["class"] = line.pop("device_class")
            yield {**line, "at": to_rfc3339(decision.at), "component": decision.component or None}


def _in_time(entry: CaseEvent | Decision) -> tuple[int, str, str, str, str]:
    """Order by time and device; what is of one device and time stays as it came, since sorting is stable."""
    return (entry.at, entry.tenant, entry.device_class, entry.device, entry.component)


def replay(files: Iterable[str], decoder: Decoder, pipeline: Pipeline) -> Iterator[Collected]:
    """Read files and yield what came of them so far, after every batch; the last is the result.

    Raises:
        UserError: a file cannot be read.
    """
    collected = Collected()
    reader = msgspec.json.Decoder(_Line)
    packets: list[Packet] = []
    arrival = 0
    for name in files:
        with _opened(name) as lines:
            try:
                for number, line in enumerate(lines, start=1):
                    if not line.strip():
                        continue
                    packet = _packet(reader, line, f"{name}:{number}", arrival, collected)
                    if packet is None:
                        continue
                    arrival = packet.arrival
                    packets.append(packet)
                    if len(packets) == BATCH:
                        collected.take(pipeline.push(decoder.decode(packets)))
                        collected.messages += len(packets)
                        packets = []
                        yield collected
            except (OSError, EOFError) as error:
                raise UserError(f"{name}: {error}") from None
    collected.take(pipeline.push(decoder.decode(packets)))
    collected.messages += len(packets)
    yield collected


@contextmanager
def _opened(name: str) -> Iterator[Iterable[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(name).open("rb") as file:
            yield gzip.GzipFile(fileobj=file) if name.endswith(".gz") else file
    except OSError as error:
        raise UserError(f"{name}: {error.strerror or error}") from None


def _packet(
    reader: "msgspec.json.Decoder[_Line]", text: bytes, place: str, before: int, collected: Collected
) -> Packet | None:
    """Return the packet of a line; arrival never goes back."""
    try:
        line = reader.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        line_or_none = _lenient(text)
        if line_or_none is None:
            collected.complain(f"{place}: expected an object with topic, ts and payload: {error}")
            return None
        line = line_or_none
    payload = bytes(line.payload)
    if bool(payload) == (line.payload_b64 is not None):
        collected.complain(f"{place}: expected either payload or payload_b64")
        return None
    if line.payload_b64 is not None:
        try:
            payload = base64.b64decode(line.payload_b64, validate=True)
        except binascii.Error as error:
            collected.complain(f"{place}: payload_b64: {error}")
            return None
    return Packet(line.topic, payload, max(before, line.ts or 0), line.retained)


def _lenient(text: bytes) -> _Line | None:
    """Read a line whose payload holds what JSON does not have, such as NaN; the decoder judges it."""
    try:
        document = json.loads(text)
        payload = json.dumps(document.pop("payload")).encode()
        line = msgspec.convert(document, _Line)
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError, msgspec.ValidationError):
        return None
    line.payload = msgspec.Raw(payload)
    return line

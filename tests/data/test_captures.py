"""Every captured message of real agents through the decoder with the shipped profile.

What came out is kept in tests/golden/captures, one file a capture: our names, values, times and reasons, none
of the payloads. FOREWARN_GOLDEN=write writes them anew; then read them, line by line, before they are kept.
"""

import json
import os
from collections import Counter
from pathlib import Path

import captures
import pytest

from gateway.wire.decoder import Decoder
from rules.batch import Kind
from rules.signals import load_catalogue
from rules.symbols import Symbols
from rules.times import to_rfc3339

GOLDEN = Path(__file__).parents[1] / "golden" / "captures"
MAX_BYTES = 60_000
IN_FULL = 20_000  # bytes of messages that are written out one by one; the rest is in the summary
CATALOGUE = load_catalogue()


class Result:
    """What a capture gave: the first messages one by one, and every key with its count and extremes."""

    def __init__(self) -> None:
        self.symbols = Symbols()
        self.messages: list[dict] = []
        self.keys: dict[tuple[str, str], dict] = {}
        self.reasons: Counter[str] = Counter()
        self.silent = 0

    def take(self, number, inbound):
        """Add what one message gave."""
        said = [*self._readings(inbound.readings), *self._notices(inbound.notices)]
        reasons = [rejected.reason for rejected in inbound.rejected]
        self.reasons.update(reasons)
        if not said and not reasons:
            self.silent += 1
            return
        self.messages.append({"message": number, "said": said} | ({"refused": reasons} if reasons else {}))

    def _readings(self, batch):
        rows = [
            (str(self.symbols.devices[row]), int(ts)) for row, ts in zip(batch.device, batch.ts, strict=True)
        ]
        values = [{} for _ in rows]
        columns = zip(batch.message.tolist(), batch.channel.tolist(), batch.kind, batch.value, strict=True)
        for row, channel, kind, value in columns:
            key = str(self.symbols.channels[channel])
            values[row][key] = shown = self._value(kind, float(value))
            self._summarise(rows[row][0], key, shown)
        return [
            {"device": device, "at": to_rfc3339(ts), "values": found}
            for (device, ts), found in zip(rows, values, strict=True)
        ]

    def _value(self, kind, value):
        match kind:
            case Kind.UNKNOWN:
                return None
            case Kind.BOOLEAN:
                return bool(value)
            case Kind.TEXT:
                return self.symbols.texts[int(value)]
        return round(value, 6)

    def _summarise(self, device, key, value):
        entry = self.keys.setdefault((device, key), {"device": device, "key": key, "count": 0})
        entry["count"] += 1
        if value is None:
            entry["unknown"] = entry.get("unknown", 0) + 1
        elif isinstance(value, float):
            entry["low"], entry["high"] = (
                min(entry.get("low", value), value),
                max(entry.get("high", value), value),
            )
        else:
            entry["last"] = value

    def _notices(self, notices):
        return [
            {"device": str(self.symbols.devices[notice.device]), notice.kind: notice.body}
            for notice in notices
        ]

    def lines(self):
        """Return the golden file's lines: what there is in all, every key, the first messages."""
        yield {
            "messages": self.silent + len(self.messages),
            "silent": self.silent,
            "refused": dict(sorted(self.reasons.items())),
            "keys": len(self.keys),
        }
        yield from (self.keys[pair] for pair in sorted(self.keys))
        room = IN_FULL
        for message in self.messages:
            room -= len(json.dumps(message, ensure_ascii=False))
            if room < 0:
                return
            yield message


def test_every_capture_is_read_by_someone():
    """A capture that nobody reads would be a format that nobody has looked at."""
    folder = captures.folder()
    there = {path.relative_to(folder) for path in folder.glob("*/*.jsonl")}
    read = {
        path.relative_to(folder) for where, _, _ in captures.CAPTURES.values() for path in folder.glob(where)
    }
    assert sorted(map(str, there - read)) == []


@pytest.mark.parametrize("name", captures.CAPTURES)
def test_a_capture_gives_what_it_gave(name):
    packets = captures.messages(name)
    result = Result()
    sources = [captures.source(profile) for profile in captures.profiles(name)]
    decoder = Decoder(result.symbols, CATALOGUE, sources=sources)
    for number, packet in enumerate(packets, 1):
        result.take(number, decoder.decode([packet]))
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in result.lines())
    assert len(text.encode()) < MAX_BYTES, f"{name}: the golden file would have {len(text):,} bytes"
    golden = GOLDEN / f"{name}.jsonl"
    if os.environ.get("FOREWARN_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text.splitlines() == golden.read_text(encoding="utf-8").splitlines()


pytestmark = pytest.mark.data

"""InfluxDB line protocol, as Telegraf's outputs.mqtt sends it by default: one line a metric, alone or many.

``cpu,host=srv-1,cpu=cpu-total usage_idle=97.1,usage_user=1.5 1767225600000000000``; without a time it is that
of arrival. Of a batch, lines that are of no use are refused one by one and the others are read.
"""

from collections.abc import Iterator, Mapping

from line_protocol_parser import LineFormatError, parse_line

from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.telegraf import Gathering, Metric
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.signalmap import SignalMap

_MOST_LINES = 20_000  # a batch of Telegraf's has a thousand by default
_LONGEST_TEXT = 20  # lines that one text field may run over
_MOST_TRIES = 1_000  # of joining lines, in one payload


class LineProtocol(Codec):
    """Batches of lines, which may come from several hosts."""

    def __init__(self, signals: SignalMap, options: Mapping[str, object] | None = None) -> None:
        super().__init__(signals, options)
        self._drives: dict[str, str] = {}

    def decode(self, message: Foreign) -> list[Extract]:
        """Return one extract for each host and time; nothing for a payload without a line."""
        try:
            text = message.payload.decode("utf-8-sig").rstrip("\0")
        except UnicodeDecodeError as error:
            raise Unusable(
                QuarantineReason.NOT_UTF8, f"expected UTF-8, got other bytes at {error.start}"
            ) from None
        gathering = Gathering(self.signals, message.topic, self._drives)
        for line in _lines(text):
            try:
                gathering.add(_parsed(line))
            except Unusable as finding:
                gathering.refuse(finding)
        return gathering.extracts()

    def state(self) -> object:
        """Return which drive has which serial number."""
        return dict(self._drives) or None

    def restore(self, state: object) -> None:
        """Take up which drive has which serial number."""
        restore_drives(self._drives, state)


def restore_drives(drives: dict[str, str], state: object) -> None:
    """Take up components by serial number; what is none is left out."""
    if isinstance(state, dict):
        drives.update((key, part) for key, part in state.items() if isinstance(part, str) and part)


def _lines(text: str) -> Iterator[str]:
    """Return the lines that hold something; a text field may run over several.

    A line with a quote that cannot be read alone is joined with those after it. Quotes are not counted: in
    tags they stand for themselves.
    """
    lines = text.split("\n", _MOST_LINES)[:_MOST_LINES]
    position, tries = 0, _MOST_TRIES
    while position < len(lines):
        line = lines[position].strip("\r")
        position += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if '"' in line and tries > 0 and not _is_line(line):
            for end in range(position + 1, min(position + _LONGEST_TEXT, len(lines)) + 1):
                tries -= 1
                joined = "\n".join([line, *lines[position:end]])
                if _is_line(joined):
                    line, position = joined, end
                    break
        yield line


def _is_line(line: str) -> bool:
    try:
        _parsed(line)
    except Unusable:
        return False
    return True


def _parsed(line: str) -> Metric:
    """Return the metric of a line.

    Raises:
        Unusable: it is none.
    """
    try:
        found = parse_line(line)
    except (LineFormatError, ValueError, OverflowError) as error:
        raise Unusable(QuarantineReason.UNKNOWN_CODEC_PAYLOAD, f"{error} {shown(line)}") from None
    if not found:
        raise Unusable(QuarantineReason.UNKNOWN_CODEC_PAYLOAD, f"expected a metric, got {shown(line)}")
    return Metric(found["measurement"], found["tags"], found["fields"], found["time"])

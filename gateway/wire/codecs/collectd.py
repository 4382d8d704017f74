"""collectd's MQTT plugin: ``PREFIX/HOST/PLUGIN[-INSTANCE]/TYPE[-INSTANCE]`` with ``TIME:VALUE[:VALUE...]``.

The payload is a line of collectd's plain text protocol and ends in a NUL. The time counts seconds since 1970
with a fraction. ``nan`` and ``U`` mean that collectd has no value, which is so for every rate at first.

A reading is called as its topic says, ``PLUGIN-INSTANCE/TYPE-INSTANCE``; of a type with several values each
has its name from types.db behind another slash: ``load/load/shortterm``.
"""

from collections import OrderedDict
from collections.abc import Mapping

from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.instants import instant_of, number_of
from gateway.wire.documents import Broken
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.signalmap import SignalMap

_RX_TX, _READ_WRITE = ("rx", "tx"), ("read", "write")
_USED_FREE = ("used", "free")

#: Names of the values of types that have several (collectd's types.db).
_NAMES = {
    "load": ("shortterm", "midterm", "longterm"),
    **dict.fromkeys(
        ("if_octets", "if_packets", "if_errors", "if_dropped", "io_octets", "io_packets"), _RX_TX
    ),
    **dict.fromkeys(("serial_octets", "mysql_octets", "node_octets", "memcached_octets"), _RX_TX),
    **dict.fromkeys(("disk_octets", "disk_ops", "disk_time", "disk_merged", "disk_latency"), _READ_WRITE),
    **dict.fromkeys(("ps_disk_octets", "ps_disk_ops"), _READ_WRITE),
    **dict.fromkeys(("ps_pagefaults", "vmpage_faults"), ("minflt", "majflt")),
    "disk_io_time": ("io_time", "weighted_io_time"),
    "ps_count": ("processes", "threads"),
    "ps_cputime": ("user", "syst"),
    "vmpage_io": ("in", "out"),
    "df": _USED_FREE,
    "compression": ("uncompressed", "compressed"),
    "dns_octets": ("queries", "responses"),
    "voltage_threshold": ("value", "threshold"),
    "smart_attribute": ("current", "worst", "threshold", "pretty"),
}
_LONGEST = 4_096  # bytes; the longest type of types.db has five values
_REMEMBERED = 10_000  # file systems whose other half is awaited
_MAX_COUNT = 2**32 - 1


class Collectd(Codec):
    """One value list a message.

    How full a file system is comes in parts, ``df_complex-free`` and ``df_complex-used``. Once both of one
    time have come, their ratio is a reading of its own, ``df-INSTANCE/free_ratio``. It is reckoned as df(1)
    does, free / (free + used): what is reserved for root stands on neither side.
    """

    NEEDS_TOPIC = True

    def __init__(self, signals: SignalMap, options: Mapping[str, object] | None = None) -> None:
        super().__init__(signals, options)
        self._halves: OrderedDict[tuple[str, str], tuple[str, str, float]] = OrderedDict()

    def decode(self, message: Foreign) -> list[Extract]:
        """Return the values of one list."""
        levels = message.topic.split("/")
        if len(levels) < 3 or not all(levels[-3:]):
            raise Unusable(
                QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
                f"expected a topic that ends in HOST/PLUGIN/TYPE, got {shown(message.topic, 200)}",
            )
        host, plugin, kind = levels[-3:]
        time, values = _parsed(message.payload)
        extract = Extract(device=host, ts=None if time == "N" else instant_of(number_of(time)))
        for name, value in zip(_names(kind, len(values)), values, strict=True):
            self._place(extract, "/".join(filter(None, (plugin, kind, name))), value)
        if kind in ("df_complex-free", "df_complex-used") and isinstance(values[0], float):
            self._free_ratio(extract, host, plugin, (kind, time, values[0]))
        return [extract]

    def _place(self, extract: Extract, name: str, value: object) -> None:
        if name.endswith("/percent-idle"):
            # What is not idle is load; collectd says so itself where it does not report by state.
            name = f"{name.removesuffix('idle')}active"
            value = max(0.0, 100 - value) if isinstance(value, float) else value
        if "/smart_attribute-" in name and isinstance(value, float) and value > _MAX_COUNT:
            value = Broken(QuarantineReason.OUT_OF_RANGE, shown(value))  # packed by firmware: no count
        try:
            self.signals.place(extract.values, name, value)
        except Unusable as finding:
            extract.refused.append((finding.reason, finding.detail))

    def _free_ratio(self, extract: Extract, host: str, plugin: str, half: tuple[str, str, float]) -> None:
        kind, time, size = half
        waiting = self._halves.pop((host, plugin), None)
        if waiting is None or waiting[0] == kind or waiting[1] != time:
            self._halves[host, plugin] = half
            if len(self._halves) > _REMEMBERED:
                self._halves.popitem(last=False)
            return
        free = size if kind.endswith("free") else waiting[2]
        if size + waiting[2] > 0:
            self._place(extract, f"{plugin}/free_ratio", free / (size + waiting[2]))


def _parsed(payload: bytes) -> tuple[str, list[float | Broken | None]]:
    """Return time and values of a payload.

    Raises:
        Unusable: it is no value list.
    """
    text = payload[:_LONGEST].rstrip(b"\0").decode("ascii", errors="replace").strip()
    time, *values = text.split(":")
    found = [_value(value) for value in values]
    if len(payload) > _LONGEST or not found or (time != "N" and number_of(time) is None):
        raise Unusable(
            QuarantineReason.UNKNOWN_CODEC_PAYLOAD, f"expected TIME:VALUE[:VALUE...], got {shown(text)}"
        )
    return time, found


def _value(text: str) -> float | Broken | None:
    """Return a value; None where collectd has none.

    Raises:
        Unusable: it is no number.
    """
    number = number_of(text)
    if text == "U" or (isinstance(number, Broken) and number.reason is QuarantineReason.NOT_A_NUMBER):
        return None
    if number is None:
        raise Unusable(QuarantineReason.UNKNOWN_CODEC_PAYLOAD, f"expected a number, got {shown(text)}")
    return number


def _names(kind: str, count: int) -> tuple[str, ...]:
    """Return what a type's values are called; numbers from 0 where types.db is another."""
    known = _NAMES.get(kind.partition("-")[0])
    if known is not None and len(known) == count:
        return known
    return ("",) if count == 1 else tuple(map(str, range(count)))

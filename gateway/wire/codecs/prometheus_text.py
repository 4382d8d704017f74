"""Prometheus' text format: what an exporter shows at ``/metrics``, published as it is.

A reading is called ``METRIC``, then its labels' values in the order of the labels' names, each behind a
slash: ``node_hwmon_temp_celsius/platform_coretemp_0/temp1``. A ``/`` within a value becomes ``_``.
"""

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.instants import instant_of
from gateway.wire.reasons import QuarantineReason, Unusable, shown

_MOST_BYTES = 1_048_576  # the parser takes a second or two for as much
_MOST_SAMPLES = 5_000
_TIME = "node_time_seconds"
_FILE_SYSTEM = "node_filesystem_"


class _Sample(NamedTuple):
    name: str
    labels: dict[str, str]
    value: float


class PrometheusText(Codec):
    """One exposition a message, of one host.

    Its time is ``node_time_seconds`` where there is one. Free space is a reading of its own,
    ``node_filesystem_free_ratio/MOUNTPOINT``, as df(1) reckons: avail / (avail + size - free).
    """

    def decode(self, message: Foreign) -> list[Extract]:
        """Return the samples of an exposition."""
        extract = Extract()
        spaces: dict[str, dict[str, float]] = {}
        for sample in _samples(message.payload):
            if sample.name == _TIME and not sample.labels:
                extract.ts = instant_of(sample.value)
                continue
            point = sample.labels.get("mountpoint")
            if sample.name.startswith(_FILE_SYSTEM) and point:
                spaces.setdefault(point, {})[sample.name.removeprefix(_FILE_SYSTEM)] = sample.value
            values = (value.replace("/", "_") for _, value in sorted(sample.labels.items()))
            self._place(extract, "/".join((sample.name, *values)), sample.value)
        for point, space in spaces.items():
            self._free_ratio(extract, point, space)
        return [extract]

    def _free_ratio(self, extract: Extract, point: str, space: dict[str, float]) -> None:
        available, free, size = (space.get(f"{part}_bytes") for part in ("avail", "free", "size"))
        if available is None or free is None or size is None:
            return
        reckoned = available + size - free
        if reckoned > 0 and available >= 0:
            name = f"{_FILE_SYSTEM}free_ratio/{'root' if point == '/' else point.replace('/', '_')}"
            self._place(extract, name, available / reckoned)

    def _place(self, extract: Extract, name: str, value: float) -> None:
        # Exporters show nan for what they could not read: unknown.
        known = None if value != value else value  # noqa: PLR0124
        try:
            self.signals.place(extract.values, name, known)
        except Unusable as finding:
            extract.refused.append((finding.reason, finding.detail))


def _samples(payload: bytes) -> Iterator[_Sample]:
    """Yield the samples of an exposition.

    Raises:
        Unusable: it is none, or too large.
    """
    if len(payload) > _MOST_BYTES:
        raise Unusable(
            QuarantineReason.PAYLOAD_TOO_LARGE,
            f"expected at most {_MOST_BYTES:,} bytes, got {len(payload):,}",
        )
    try:
        text = payload.decode("utf-8").rstrip("\0")
    except UnicodeDecodeError as error:
        raise Unusable(
            QuarantineReason.NOT_UTF8, f"expected UTF-8, got other bytes at {error.start}"
        ) from None
    count = 0
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                count += 1
                if count > _MOST_SAMPLES:
                    raise Unusable(
                        QuarantineReason.TOO_MANY_SIGNALS, f"expected at most {_MOST_SAMPLES:,} samples"
                    )
                yield _Sample(sample.name, sample.labels, sample.value)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise Unusable(
            QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
            f"expected Prometheus' text format: {shown(str(error), 100)}",
        ) from None
    if not count:
        raise Unusable(
            QuarantineReason.UNKNOWN_CODEC_PAYLOAD, "expected samples of Prometheus' text format, got none"
        )

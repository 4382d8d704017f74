"""Telegraf's JSON: ``{"name", "tags", "fields", "timestamp"}``, alone or as ``{"metrics": [...]}``.

``data_format = "json"`` of outputs.mqtt. The timestamp counts seconds unless ``json_timestamp_units`` says
otherwise; which unit it is shows in its size.
"""

from collections.abc import Mapping

from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.line_protocol import restore_drives
from gateway.wire.codecs.telegraf import Gathering, Metric
from gateway.wire.documents import parse_document
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.signalmap import SignalMap


class TelegrafJson(Codec):
    """One metric or a batch of them, which may come from several hosts."""

    def __init__(self, signals: SignalMap, options: Mapping[str, object] | None = None) -> None:
        super().__init__(signals, options)
        self._drives: dict[str, str] = {}

    def decode(self, message: Foreign) -> list[Extract]:
        """Return one extract for each host and time."""
        document = parse_document(message.payload)
        batch = document.get("metrics") if isinstance(document, dict) else document
        metrics = batch if isinstance(batch, list) else [document]
        gathering = Gathering(self.signals, message.topic, self._drives)
        for position, metric in enumerate(metrics):
            try:
                gathering.add(_parsed(metric, f"metrics[{position}]"))
            except Unusable as finding:
                gathering.refuse(finding)
        return gathering.extracts()

    def state(self) -> object:
        """Return which drive has which serial number."""
        return dict(self._drives) or None

    def restore(self, state: object) -> None:
        """Take up which drive has which serial number."""
        restore_drives(self._drives, state)


def _parsed(metric: object, where: str) -> Metric:
    """Return a metric.

    Raises:
        Unusable: it is none.
    """
    if isinstance(metric, dict):
        name, fields, tags = metric.get("name"), metric.get("fields"), metric.get("tags")
        if isinstance(name, str) and isinstance(fields, dict):
            return Metric(name, tags if isinstance(tags, dict) else {}, fields, metric.get("timestamp"))
    raise Unusable(
        QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
        f"{where}: expected an object with name, tags, fields and timestamp, got {shown(metric)}",
    )

"""Shelly, second generation and later: notifications of what changed, on ``<id>/events/rpc``.

The format is Shelly's own (shelly-api-docs.shelly.cloud/gen2, "MQTT" and "RPC protocol"): ``NotifyStatus``
tells of components that changed, and of those only what did; ``NotifyFullStatus`` tells everything.
"""

from gateway.wire.bare import leaves, online_of
from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.documents import parse_document
from gateway.wire.reasons import QuarantineReason, Unusable, shown

_UNITS = {
    "apower": "W",
    "act_power": "W",
    "total_act_power": "W",
    "voltage": "V",
    "current": "A",
    "tC": "°C",
    "rh": "%",
    "percent": "%",
    "V": "V",
}
#: What repeats something, counts for the device alone, or is a name: no readings.
_NO_READINGS = frozenset({"id", "tF", "minute_ts", "by_minute", "ts"})
_EARLIEST = 1_500_000_000  # s; a clock that shows less was never set

EVENTS, ONLINE, STATUS = "/events/rpc", "/online", "/status/"


class Shelly(Codec):
    """Notifications, presence, and the status topics of single components."""

    def decode(self, message: Foreign) -> list[Extract]:
        """Return what a device says; nothing for events (buttons, updates), which are no readings.

        Raises:
            Unusable: it is not Shelly's.
        """
        topic = message.topic
        if topic.endswith(ONLINE) and topic != ONLINE:
            return [Extract(device=topic.removesuffix(ONLINE), online=online_of(message.payload))]
        if topic.endswith(EVENTS) and topic != EVENTS:
            return self._notification(topic.removesuffix(EVENTS), parse_document(message.payload))
        device, status, component = topic.rpartition(STATUS)
        if not status or not device or not component:
            raise Unusable(
                QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
                f"expected ID/events/rpc, ID/online or ID/status/COMPONENT, got {shown(topic, 200)}",
            )
        extract = Extract(device=device)
        self._component(extract, component, parse_document(message.payload), whole=True)
        return [extract]

    def _notification(self, device: str, document: object) -> list[Extract]:
        method = document.get("method") if isinstance(document, dict) else None
        params = document.get("params") if isinstance(document, dict) else None
        if method == "NotifyEvent":
            return []
        if method not in ("NotifyStatus", "NotifyFullStatus") or not isinstance(params, dict):
            raise Unusable(
                QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
                f"expected method NotifyStatus, NotifyFullStatus or NotifyEvent, got {shown(method)}",
            )
        extract = Extract(device=device, ts=_instant(params.get("ts")))
        for component, status in params.items():
            if component != "ts":
                self._component(extract, component, status, whole=method == "NotifyFullStatus")
        return [extract]

    def _component(self, extract: Extract, component: str, status: object, *, whole: bool) -> None:
        """Put what a component says into an extract.

        Its errors become the text of ``<component>/errors``. They are there only while there are any, so
        that in a whole status their absence says that there are none: unknown, as a display that shows no
        code.
        """
        if not isinstance(status, dict):
            extract.refused.append(
                (
                    QuarantineReason.NOT_AN_OBJECT,
                    f"{shown(component)}: expected an object, got {shown(status)}",
                )
            )
            return
        if component == "sys":
            _put_facts(extract.facts, status)
        errors = status.get("errors", [] if whole and "id" in status else None)
        if isinstance(errors, list):
            words = ",".join(sorted(str(error) for error in errors)[:20])
            self._place(extract, f"{component}/errors", words[:256] or None)
        readings = {key: part for key, part in status.items() if key != "errors"}
        for path, value in leaves(readings):
            levels = path.split("/")
            if value is not None and not _NO_READINGS & set(levels):
                self._place(extract, f"{component}/{path}", value, _UNITS.get(levels[-1]))

    def _place(self, extract: Extract, name: str, value: object, unit: str | None = None) -> None:
        try:
            self.signals.place(extract.values, name, value, unit=unit)
        except Unusable as finding:
            extract.refused.append((finding.reason, f"{shown(name)}: {finding.detail}"))


def _instant(seconds: object) -> object:
    """Return ms since 1970 of a notification's time; None while the device's clock was not set."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < _EARLIEST:
        return None
    return round(seconds * 1000) if seconds < 2**40 else None


def _put_facts(facts: dict[str, object], status: dict[str, object]) -> None:
    mac = status.get("mac")
    if isinstance(mac, str):
        facts["serial"] = mac

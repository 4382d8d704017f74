"""Redfish: events, metric reports, and the documents of sensors (DMTF DSP0266; schemas DSP8010).

Events and reports are what a management controller posts to its subscribers; the other documents are what a
line of cron fetches. Which of them a payload is its own keys say. An event states a signal of ours only where
its message is one of DMTF's own registries and means just that; any other that warns is an error code.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.redfish_sensors import at, each, is_read, part_of, read_sensors, text_of
from gateway.wire.documents import parse_document
from gateway.wire.reasons import QuarantineReason, Unusable, shown

_MAX_MEMBERS = 1_000
_DEPTH = 2  # a collection may hold its members; they hold no collections with members of their own


class _Meaning(NamedTuple):
    """What a message says: a signal of the part that it is about, and its value."""

    signal: str
    value: object


#: By registry and name: DMTF's Power 1.0 and StorageDevice 1.2. A failure that is only predicted is none yet.
_MEANINGS = {
    "Power.PowerSupplyFailed": _Meaning("psu.ok", False),
    "Power.PowerSupplyWarning": _Meaning("psu.ok", False),
    "Power.PowerSupplyOK": _Meaning("psu.ok", True),
    "Power.PowerSupplyRestored": _Meaning("psu.ok", True),
    "Power.PowerSupplyRemoved": _Meaning("psu.ok", None),
    "StorageDevice.DrivePredictiveFailure": _Meaning("disk.smart_passed", False),
    "StorageDevice.DrivePredictiveFailureCleared": _Meaning("disk.smart_passed", True),
    "StorageDevice.VolumeOK": _Meaning("raid.state", "optimal"),
    "StorageDevice.VolumeDegraded": _Meaning("raid.state", "degraded"),
    "StorageDevice.VolumeFailure": _Meaning("raid.state", "failed"),
    "StorageDevice.BatteryOK": _Meaning("raid.battery_ok", True),
    "StorageDevice.BatteryFailure": _Meaning("raid.battery_ok", False),
}
#: ResourceEvent 1.0: the state of whatever the event is about, told by where that stands.
_CHANGED = {
    "ResourceEvent.ResourceStatusChangedOK": "OK",
    "ResourceEvent.ResourceStatusChangedWarning": "Warning",
    "ResourceEvent.ResourceStatusChangedCritical": "Critical",
}
_STATES: dict[str, tuple[str, dict[str, object]]] = {
    "PowerSupplies": ("psu.ok", {"OK": True, "Warning": False, "Critical": False}),
    "Volumes": ("raid.state", {"OK": "optimal", "Warning": "degraded", "Critical": "failed"}),
}
_GOOD = re.compile(r".*(?:OK|Restored|Normal|Cleared|Corrected)")  # names of messages that end another
_VERSION = re.compile(r"\.\d+(?:\.\d+)*\.")
_MAX_CODE = 256


class Redfish(Codec):
    """Documents and events of Redfish services; the device is that of the topic or of the request."""

    def decode(self, message: Foreign) -> Iterator[Extract]:
        """Return what a document says; nothing for documents that only link to others."""
        yield from filter(None, self._read(parse_document(message.payload), _DEPTH))

    def _read(self, document: object, depth: int) -> Iterator[Extract]:
        if not isinstance(document, dict):
            raise _foreign()
        if isinstance(document.get("error"), dict):
            text = at(document, "error", "message")
            raise Unusable(QuarantineReason.SOURCE_REPORTED_ERROR, f"Redfish: {shown(text, 300)}")
        if isinstance(document.get("Events"), list):
            for event in each(document, "Events"):
                yield self._event(event)
        elif isinstance(document.get("MetricValues"), list):
            yield from self._report(document)
        elif isinstance(document.get("Members"), list) and depth:
            for member in each(document, "Members")[:_MAX_MEMBERS]:
                if "@odata.type" in member:
                    yield from self._read(member, depth - 1)
        elif is_read(document):
            yield read_sensors(document, self.signals)
        elif not any(key.startswith("@odata.") for key in document):
            raise _foreign()

    def _event(self, event: dict[str, object]) -> Extract:
        """Return what one event says.

        An error code stands under the part that it is about, so that a later good word ends it there alone.
        """
        extract = Extract(ts=event.get("EventTimestamp") or None)
        identifier = event.get("MessageId")
        if not isinstance(identifier, str) or not identifier:
            extract.refused.append(
                (QuarantineReason.UNKNOWN_CODEC_PAYLOAD, "Events: expected a MessageId in each of them")
            )
            return extract
        origin = event.get("OriginOfCondition")  # a link, or as text in older services
        linked = origin if isinstance(origin, dict) else {"@odata.id": origin}
        kind, part = part_of(text_of(linked, "@odata.id"))
        name = _VERSION.sub(".", identifier, count=1)  # Power.1.0.PowerSupplyFailed: any version of it
        meaning = _MEANINGS.get(name) or _changed(name, kind)
        if meaning is not None:
            self.signals.place(extract.values, meaning.signal, meaning.value, component=part)
        severity = event.get("MessageSeverity") or event.get("Severity")
        if severity in ("Warning", "Critical"):
            self.signals.place(extract.values, "error.code", identifier[:_MAX_CODE], component=part)
        elif _GOOD.fullmatch(name):
            self.signals.place(extract.values, "error.code", "", component=part)
        return extract

    def _report(self, report: dict[str, object]) -> Iterator[Extract]:
        """Return the values of a metric report, those of one time together; they come as texts."""
        extracts: dict[object, Extract] = {}
        for metric in each(report, "MetricValues"):
            path, name = text_of(metric, "MetricProperty"), text_of(metric, "MetricId")
            name = name or path.rpartition("/")[2]
            label = at(metric, "Oem", "Dell", "FQDD")
            component = label.rpartition("#")[2] if isinstance(label, str) else part_of(path)[0]
            found = metric.get("Timestamp") or report.get("Timestamp")
            ts = found if isinstance(found, str) else None
            extract = extracts.setdefault(ts, Extract(ts=ts))
            if not name:
                detail = "MetricValues: expected a MetricId or a MetricProperty in each of them"
                extract.refused.append((QuarantineReason.UNKNOWN_CODEC_PAYLOAD, detail))
                continue
            try:
                value = _plain(metric.get("MetricValue"))
                self.signals.place(extract.values, name, value, component=component)
            except Unusable as finding:
                extract.refused.append((finding.reason, finding.detail))
        yield from extracts.values()


def _changed(name: str, kind: str) -> _Meaning | None:
    """Return what a change of state means for a part of a kind, None when it is of no signal's kind."""
    if name not in _CHANGED or kind not in _STATES:
        return None
    signal, values = _STATES[kind]
    return _Meaning(signal, values[_CHANGED[name]])


def _plain(text: object) -> object:
    """Return the number or yes or no that a text of a report stands for; another text as it is."""
    if not isinstance(text, str):
        return text
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError:
        return text


def _foreign() -> Unusable:
    return Unusable(
        QuarantineReason.UNKNOWN_CODEC_PAYLOAD,
        "expected a Redfish document, with Events, MetricValues or an @odata.type",
    )

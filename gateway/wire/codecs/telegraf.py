"""Telegraf's metrics, whichever format they came in: of whom, of which part, under which name.

A metric is a name, tags, fields and a time. Two rules make readings of it:

- The tag ``host`` names the device; for plugins that ask other machines it is the tag that names those
  (`_OF_OTHERS`), since a fan of the server's is none of the machine that Telegraf runs on.
- All other tags tell like parts apart. For the plugins of `_PARTS` those are listed that do so; of any other
  metric every tag counts, so that two series never become one.

A reading is called ``METRIC/FIELD``, with the part's own name in between where it says what is measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from gateway.wire.codecs.extract import Extract
from gateway.wire.codecs.instants import instant_of
from gateway.wire.codecs.smartctl import component_of
from gateway.wire.documents import Broken
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.signalmap import SignalMap, fit

#: Tags that name a part, by metric.
_PARTS = {
    "cpu": ("cpu",),
    "disk": ("path",),
    "diskio": ("name",),
    "net": ("interface",),
    "sensors": ("chip", "feature"),
    "temp": ("sensor",),
    "ipmi_sensor": ("name",),
    "smart_device": ("device",),
    "smart_attribute": ("device",),
    "upsd": ("ups_name",),
    "apcupsd": ("ups_name",),
    "nvidia_smi": ("index",),
    "redfish_thermal_fans": ("name",),
    "redfish_thermal_temperatures": ("name",),
    "redfish_power_powersupplies": ("name",),
    "redfish_power_voltages": ("name",),
    "mem": (),
    "swap": (),
    "system": (),
    "kernel": (),
    "processes": (),
}

#: Tags that name another machine than Telegraf's own, by the beginning of the metric's name.
_OF_OTHERS = (("ipmi_sensor", "server"), ("redfish_", "source"), ("", "agent_host"))

#: Tags that stand between metric and field in a reading's name: they say what is measured.
_SAID_IN_NAME = {
    "sensors": ("chip", "feature"),
    "temp": ("sensor",),
    "ipmi_sensor": ("unit", "name"),
    "redfish_thermal_temperatures": ("name",),
    "smartctl_scsi_error_counter_log": ("page",),
}

_ATTRIBUTES = frozenset({"smart_attribute", "smartctl_attributes"})
_COMMAND_TIMEOUTS = frozenset({"188", "Command_Timeout"})
_MAX_COUNT = 2**32 - 1
_MOST_DRIVES = 10_000


@dataclass(slots=True)
class Metric:
    """A metric as Telegraf holds it; `time` as the format wrote it, None when it did not."""

    name: str
    tags: Mapping[str, object]
    fields: Mapping[str, object]
    time: object = None


@dataclass(slots=True)
class Gathering:
    """Puts metrics together that one message brings of one device and one time.

    Attributes:
        topic: of the message. ``PREFIX/HOST/PLUGIN``, Telegraf's default, names the device of metrics
            without the tag (``omit_hostname = true``).
        drives: component by serial number, of drives that named both (inputs.smartctl in its first version
            gives attributes the serial number alone); bounded, kept from message to message.
    """

    signals: SignalMap
    topic: str
    drives: dict[str, str]
    _refused: list[tuple[QuarantineReason, str]] = field(default_factory=list)
    _extracts: dict[tuple[str | None, str], Extract] = field(default_factory=dict)

    def extracts(self) -> list[Extract]:
        """Return what was gathered, in order of first mention.

        Raises:
            Unusable: the message holds no metric that can be read.
        """
        extracts = list(filter(None, self._extracts.values()))
        if not extracts and self._refused:
            raise Unusable(*self._refused[0])
        for extract in extracts[:1]:
            extract.refused += self._refused
        return extracts

    def refuse(self, finding: Unusable) -> None:
        """Note a part of the message that is no metric."""
        self._refused.append((finding.reason, finding.detail))

    def add(self, metric: Metric) -> None:
        """Take in a metric."""
        extract = self._extract(self._device(metric), instant_of(metric.time))
        component = self._component(metric)
        _facts(metric, component, extract)
        for name, value in _readings(metric).items():
            checked = self._count(name, value) if metric.name in _ATTRIBUTES else value
            try:
                self.signals.place(extract.values, name, checked, component=component)
            except Unusable as finding:
                extract.refused.append((finding.reason, finding.detail))

    def _count(self, name: str, raw: object) -> object:
        """Return a raw SMART value; one past 32 bits is no count but something that firmware packed."""
        key = self.signals.key(name)
        if key and key[0].startswith("disk.") and isinstance(raw, int) and not 0 <= raw <= _MAX_COUNT:
            return Broken(QuarantineReason.OUT_OF_RANGE, shown(raw))
        return raw

    def _extract(self, device: str | None, time: object) -> Extract:
        at = (device, repr(time))
        return self._extracts.setdefault(at, Extract(device=device, ts=time))

    def _device(self, metric: Metric) -> str | None:
        for beginning, tag in _OF_OTHERS:
            other = metric.tags.get(tag)
            if metric.name.startswith(beginning) and isinstance(other, str) and other:
                return other
        host = metric.tags.get("host")
        if isinstance(host, str) and host:
            return host
        levels = self.topic.split("/")
        return levels[-2] if len(levels) > 2 else None

    def _component(self, metric: Metric) -> str:
        tags = metric.tags
        if metric.name.startswith("smartctl"):
            return self._drive(metric)
        if metric.name == "cpu" and tags.get("cpu") == "cpu-total":
            return ""
        parts = _PARTS.get(metric.name)
        if parts is None:
            others = {"host", "agent_host"}
            parts = tuple(sorted(key for key in tags if key not in others))
        named = [str(tags[key]) for key in parts if key in tags]
        if metric.name == "disk" and named == ["/"]:
            return "root"
        return ":".join(part for text in named if (part := fit(text)))

    def _drive(self, metric: Metric) -> str:
        """Return what inputs.smartctl calls a drive, as the codec smartctl does."""
        serial, name = str(metric.tags.get("serial", "")), metric.tags.get("name")
        if isinstance(name, str) and name.startswith("/"):
            component = component_of({"device": {"name": name, "type": metric.tags.get("type")}})
            if serial and (serial in self.drives or len(self.drives) < _MOST_DRIVES):
                self.drives[serial] = component
            return component
        return self.drives.get(serial) or fit(serial) or "disk"


def _readings(metric: Metric) -> dict[str, object]:
    """Return a metric's readings under the names that patterns are compared with."""
    said = [str(metric.tags.get(tag, "")).replace("/", "-") for tag in _SAID_IN_NAME.get(metric.name, ())]
    match metric.name:
        case name if name in _ATTRIBUTES:
            return _attribute(metric)
        case "smartctl":
            # Telegraf writes 0 where smartctl gave no temperature.
            left_out = {"temperature"} if metric.fields.get("temperature") == 0 else set()
        case "ipmi_sensor":
            left_out = {"status"}
        case _:
            left_out = set()
    fields = {name: value for name, value in metric.fields.items() if name not in left_out}
    if metric.name == "cpu" and _is_percent(idle := fields.get("usage_idle")):
        # So Telegraf itself defines usage_active, which it reports on request only.
        fields.setdefault("usage_active", 100.0 - idle)
    if metric.name == "disk" and _is_percent(used := fields.get("used_percent")):
        fields["free_percent"] = 100.0 - used
    # A single logical processor is not the processor, whose parts are packages and cores.
    whole = metric.name != "cpu" or metric.tags.get("cpu") in ("cpu-total", None)
    called = metric.name if whole else "percpu"
    return {"/".join((called, *said, name)): value for name, value in fields.items()}


def _attribute(metric: Metric) -> dict[str, object]:
    """Return the raw value of a SMART attribute, by number where it has one, else by smartctl's name.

    Of command timeouts, which some firmware packs, the low word counts all of them; see the codec smartctl.
    """
    tags = metric.tags
    which = (
        str(tags.get("id") or tags.get("attribute") or tags.get("name") or "").lstrip("0").replace("/", "-")
    )
    raw = metric.fields.get("raw_value")
    if which in _COMMAND_TIMEOUTS and isinstance(raw, int) and 0xFFFF < raw < 2**48:
        raw &= 0xFFFF
    return {f"{metric.name}/{which}/raw_value": raw} if raw is not None else {}


def _facts(metric: Metric, component: str, extract: Extract) -> None:
    """Take in what a metric says of a drive."""
    if metric.name not in ("smart_device", "smartctl") or not component:
        return
    tags, fields = metric.tags, metric.fields
    known = {
        "model": tags.get("model") or fields.get("scsi_model"),
        "serial": tags.get("serial_no") or tags.get("serial"),
        "firmware": fields.get("firmware"),
    }
    stated = {name: fact for name, fact in known.items() if isinstance(fact, str) and fact}
    if stated:
        components = extract.facts.setdefault("components", {})
        assert isinstance(components, dict)
        components[component] = stated


def _is_percent(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100

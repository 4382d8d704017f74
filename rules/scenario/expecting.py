"""Expectations as a file spells them."""

from collections.abc import Mapping
from typing import cast, get_args

from rules.lifecycle import State
from rules.model import Severity
from rules.scenario.knowledge import Known
from rules.scenario.model import KINDS, Event, Expectation, InState, Kind, Never, Scenario
from rules.scenario.spots import Spot
from rules.symbols import DeviceId

_STATES = {state.name.lower(): state.name for state in State}
_SEVERITIES: tuple[str, ...] = get_args(Severity)
_NARROWING = ("rule", "component", "device")
_KEYS = (*KINDS, "state", "never", "quiet")


class ExpectationReader:
    """Reads the expectations of a test whose devices and times are known."""

    def __init__(self, known: Known, scenario: Scenario) -> None:
        self._known = known
        self._scenario = scenario
        self._devices = {device.id.device: device for device in scenario.devices}
        self._components = {
            series.channel.component for device in scenario.devices for series in device.series
        } - {""}

    def read(self, spot: Spot) -> Expectation:
        """Return one expectation."""
        entries = spot.entries()
        kinds = [key for key in _KEYS if key in entries]
        if len(kinds) > 1 and "severity" in kinds:
            kinds.remove("severity")  # it narrows another
        if len(kinds) != 1:
            got = ", ".join(kinds) or "none of them"
            raise spot.problem(f"expected exactly one of {', '.join(_KEYS)}, got {got}")
        match kinds[0]:
            case "quiet":
                what: Event | Never | InState = self._quiet(spot)
            case "never":
                what = self._never(spot)
            case "state":
                what = self._in_state(spot)
            case "severity":
                what = self._severity(spot)
            case kind:
                what = self._event(spot, cast(Kind, kind))
        return Expectation(what, spot.place)

    def _quiet(self, spot: Spot) -> Never:
        entries = spot.entries(("quiet", "device"))
        entries["quiet"].choice(("true",))
        return Never(device=self._device(entries))

    def _never(self, spot: Spot) -> Never:
        entries = spot.entries(("never", *_NARROWING))
        fault = self._known.fault(entries["never"])
        return Never(fault, self._rule(entries, fault), self._component(entries), self._device(entries))

    def _in_state(self, spot: Spot) -> InState:
        outer = spot.entries(("at", "state"), required=("at",))
        entries = outer["state"].entries(("is", *_NARROWING), required=("rule", "is"))
        return InState(
            rule=self._known.rule(entries["rule"], None),
            state=_STATES[entries["is"].choice(tuple(_STATES))],
            at=self._at(outer),
            component=self._component(entries),
            device=self._device(entries),
        )

    def _severity(self, spot: Spot) -> Event:
        entries = spot.entries(("at", "severity", "of", *_NARROWING), required=("at", "of"))
        return self._event_of(entries, "severity", entries["of"])

    def _event(self, spot: Spot, kind: Kind) -> Event:
        known = ["at", kind, *_NARROWING]
        known += ["reason"] if kind in ("no_order", "suspected", "confirmed", "cleared") else []
        known += ["severity"] if kind in ("suspected", "confirmed", "order", "reopened") else []
        entries = spot.entries(known, required=("at",))
        return self._event_of(entries, kind, entries[kind])

    def _event_of(self, entries: Mapping[str, Spot], kind: Kind, fault_spot: Spot) -> Event:
        fault = self._known.fault(fault_spot)
        severity = entries["severity"].choice(_SEVERITIES) if "severity" in entries else None
        return Event(
            kind=kind,
            fault=fault,
            at=self._at(entries),
            rule=self._rule(entries, fault),
            component=self._component(entries),
            device=self._device(entries),
            severity=cast(Severity | None, severity),
            reason=self._known.reason(entries["reason"]) if "reason" in entries else None,
        )

    def _at(self, entries: Mapping[str, Spot]) -> int:
        at = entries["at"].moment(self._scenario.start)
        if not self._scenario.start <= at <= self._scenario.end:
            raise entries["at"].expected(self._scenario.limits)
        return at

    def _rule(self, entries: Mapping[str, Spot], fault: str) -> str | None:
        return self._known.rule(entries["rule"], fault) if "rule" in entries else None

    def _component(self, entries: Mapping[str, Spot]) -> str | None:
        if "component" not in entries:
            return None
        component = entries["component"].text("a component", r".*")
        if component and component not in self._components:
            named = ", ".join(sorted(self._components)) or "none"
            raise entries["component"].expected(f"a component that a series names ({named})")
        return component

    def _device(self, entries: Mapping[str, Spot]) -> DeviceId | None:
        if "device" not in entries:
            return None
        return self._devices[entries["device"].choice(tuple(self._devices))].id

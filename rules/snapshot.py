"""The state of an engine as plain arrays and lists, and back.

What is written is keyed by names (signals, devices, rule ids and what they say), never by position, so that a
state can be taken up by an engine with other rules: columns, windows and rules that both have go on, the rest
starts anew.
"""

import hashlib
from typing import Any

import numpy as np

from rules.devices import DeviceTable
from rules.lanes import LaneSet
from rules.model import Rule
from rules.rulelanes import RuleLanes
from rules.symbols import Channel, DeviceId, Symbols

#: Arrays by path, and a JSON document beside them.
Arrays = dict[str, np.ndarray[Any, Any]]

_RULE_ARRAYS = ("state", "since", "paused", "suspected_at", "ways", "timer")


def fingerprint(rule: Rule) -> str:
    """Return what makes a rule the same rule: its id and all that decides on its states."""
    meaning = (rule.id, rule.fault, rule.selector, rule.each, rule.when, rule.hold_ms, rule.clear_when)
    text = repr((*meaning, rule.clear_hold_ms, rule.confirm))
    return f"{rule.id}/{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def save_symbols(symbols: Symbols) -> dict[str, list[Any]]:
    """Return the names behind all numbers."""
    return {
        "devices": [list(name) for name in symbols.devices.names],
        "channels": [str(name) for name in symbols.channels.names],
        "texts": list(symbols.texts.names),
        "components": list(symbols.components.names),
    }


class Renumbering:
    """From the numbers of a saved state to those of the symbols that are in use now."""

    def __init__(self, saved: dict[str, list[Any]], symbols: Symbols) -> None:
        self.devices = self._map(symbols.devices.intern(DeviceId(*name)) for name in saved["devices"])
        self.texts = self._map(symbols.texts.intern(name) for name in saved["texts"])
        self.components = self._map(symbols.components.intern(name) for name in saved["components"])
        for name in saved["channels"]:
            symbols.channels.intern(Channel.parse(name))

    @staticmethod
    def _map(numbers: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.array(list(numbers), dtype=np.int64)

    def text_values(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return a column of numbers of texts, nan where unknown, in today's numbers."""
        known = ~np.isnan(values)
        renumbered = values.copy()
        renumbered[known] = self.texts[values[known].astype(np.int64)]
        return renumbered


def save_lanes(lanes: LaneSet, prefix: str, arrays: Arrays) -> None:
    """Write a lane set's arrays under a prefix."""
    size = lanes.size
    for name in ("first_heard", "parents", "ordinal", "member"):
        arrays[f"{prefix}/{name}"] = getattr(lanes, name)[:size]
    for column in lanes.columns:
        path = f"{prefix}/column/{_column_name(column.signal, column.component)}"
        arrays[f"{path}/values"] = lanes.values[column.index][:size]
        arrays[f"{path}/times"] = lanes.times[column.index][:size]
        if column.index in lanes.heard:
            arrays[f"{path}/heard"] = lanes.heard[column.index][:size]
    for (index, window_ms), window in lanes.windows.items():
        column = lanes.columns[index]
        path = f"{prefix}/window/{window_ms}/{_column_name(column.signal, column.component)}"
        for name in ("number", "latest", "head", "previous"):
            arrays[f"{path}/{name}"] = getattr(window, name)[:size]
        for name, array in window.accumulators.items():
            arrays[f"{path}/accumulator/{name}"] = array[:size]


def _column_name(signal: str, component: str | None) -> str:
    return f"{signal}@{component}" if component else signal


def restore_lanes(
    lanes: LaneSet, prefix: str, arrays: Arrays, texts: frozenset[str], numbers: Renumbering
) -> None:
    """Fill an empty lane set from what was saved under a prefix; `texts` are the names of text signals."""
    if f"{prefix}/ordinal" not in arrays:
        return
    ordinal = arrays[f"{prefix}/ordinal"]
    renumber = numbers.devices if lanes.parent is None else numbers.components
    first_heard = arrays[f"{prefix}/first_heard"]
    lanes.add(arrays[f"{prefix}/parents"], renumber[ordinal], first_heard, member=False)
    size = lanes.size
    lanes.member[:size] = arrays[f"{prefix}/member"]
    for column in lanes.columns:
        path = f"{prefix}/column/{_column_name(column.signal, column.component)}"
        if f"{path}/values" not in arrays:
            continue
        values = arrays[f"{path}/values"]
        is_text = column.signal in texts
        lanes.values[column.index][:size] = numbers.text_values(values) if is_text else values
        lanes.times[column.index][:size] = arrays[f"{path}/times"]
        if column.index in lanes.heard and f"{path}/heard" in arrays:
            lanes.heard[column.index][:size] = arrays[f"{path}/heard"]
    _restore_windows(lanes, prefix, arrays, texts, numbers)


def _restore_windows(
    lanes: LaneSet, prefix: str, arrays: Arrays, texts: frozenset[str], numbers: Renumbering
) -> None:
    size = lanes.size
    for (index, window_ms), window in lanes.windows.items():
        column = lanes.columns[index]
        path = f"{prefix}/window/{window_ms}/{_column_name(column.signal, column.component)}"
        accumulators = {name: f"{path}/accumulator/{name}" for name in window.accumulators}
        if not all(name in arrays for name in accumulators.values()):
            continue
        slots = arrays[f"{path}/number"].shape[1]
        window.reshape(slots)
        window.number[:size] = arrays[f"{path}/number"]
        window.latest[:size] = arrays[f"{path}/latest"]
        window.head[:size] = arrays[f"{path}/head"]
        previous = arrays[f"{path}/previous"]
        window.previous[:size] = numbers.text_values(previous) if column.signal in texts else previous
        for name, saved in accumulators.items():
            window.accumulators[name][:size] = arrays[saved]


def save_rule(rule: RuleLanes, prefix: str, arrays: Arrays) -> None:
    """Write a rule's states under a prefix."""
    size = rule.lanes.size
    path = f"{prefix}/rule/{fingerprint(rule.rule)}"
    for name in _RULE_ARRAYS:
        arrays[f"{path}/{name}"] = getattr(rule, name)[:size]
    for number, fired in enumerate(rule.fired):
        arrays[f"{path}/fired/{number}"] = fired[:size]


def restore_rule(rule: RuleLanes, prefix: str, arrays: Arrays) -> None:
    """Take up a rule's states where the same rule was saved."""
    path = f"{prefix}/rule/{fingerprint(rule.rule)}"
    if f"{path}/state" not in arrays:
        return
    size = rule.lanes.size
    for name in _RULE_ARRAYS:
        getattr(rule, name)[:size] = arrays[f"{path}/{name}"]
    for number, fired in enumerate(rule.fired):
        fired[:size] = arrays[f"{path}/fired/{number}"]
    rule.timers = int(rule.timer.sum())


def save_devices(devices: DeviceTable, prefix: str, arrays: Arrays) -> dict[str, Any]:
    """Write the clocks of a class's devices, and return what they stated."""
    arrays[f"{prefix}/watermark"] = devices.watermark[: devices.lanes.size]
    return {"stated": devices.stated, "serials": {str(k): v for k, v in devices.serials.items()}}


def restore_devices(
    devices: DeviceTable, prefix: str, arrays: Arrays, document: dict[str, Any], symbols: Symbols
) -> None:
    """Take up the clocks and statements of a class's devices, whose lanes are restored already."""
    size = devices.lanes.size
    devices.reserve()
    devices.watermark[:size] = arrays[f"{prefix}/watermark"]
    devices.ids = [symbols.devices[number] for number in devices.lanes.ordinal[:size].tolist()]
    devices.stated = [{} for _ in range(size)]
    for row, stated in enumerate(document["stated"]):
        devices.state(row, stated)
    devices.serials.update({int(row): serials for row, serials in document["serials"].items()})

"""The state of an engine as plain arrays and lists, and back.

What is written is keyed by names (signals, devices, rule ids and what they say), never by position, so that a
state can be taken up by an engine with other rules: columns, windows and rules that both have go on, the rest
starts anew.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from rules.devices import DeviceTable
from rules.fingerprint import fingerprint
from rules.lanes import Column, LaneSet
from rules.symbols import Channel, DeviceId, Symbols

__all__ = [
    "Arrays",
    "Renumbering",
    "fingerprint",
    "gathered",
    "restore_devices",
    "restore_lanes",
    "save_devices",
    "save_lanes",
    "save_symbols",
    "spread",
]

#: Arrays by path, and a JSON document beside them.
Arrays = dict[str, np.ndarray[Any, Any]]
#: The same by what they are of, and then by name.
Saved = Mapping[str, Arrays]

#: Stands between what an array is of and its name; signals and rules have no such thing in theirs.
_OF = "//"


def spread(arrays: Arrays, path: str, named: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write arrays of one thing under its path."""
    for name, array in named.items():
        arrays[f"{path}{_OF}{name}"] = array


def gathered(arrays: Arrays) -> Saved:
    """Return arrays by path and then by name."""
    found: dict[str, Arrays] = defaultdict(dict)
    for key, array in arrays.items():
        path, _, name = key.rpartition(_OF)
        found[path][name] = array
    return found


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


def save_lanes(lanes: LaneSet, path: str, arrays: Arrays) -> None:
    """Write a lane set's arrays under a path."""
    size = lanes.size
    spread(
        arrays,
        path,
        {name: getattr(lanes, name)[:size] for name in ("first_heard", "parents", "ordinal", "member")},
    )
    for column in lanes.columns:
        if column.empty:
            continue
        where = f"{path}/column/{column.name}"
        spread(arrays, where, {name: array[:size] for name, array in column.arrays.items()})
        for name, buckets in column.buckets():
            spread(arrays, f"{where}/window/{name}", buckets.save())


def restore_lanes(
    lanes: LaneSet, path: str, saved: Saved, texts: frozenset[str], numbers: Renumbering
) -> None:
    """Fill an empty lane set from what was saved under a path; `texts` are the names of text signals."""
    own = saved.get(path)
    if own is None:
        return
    renumber = numbers.devices if lanes.parent is None else numbers.components
    lanes.add(own["parents"], renumber[own["ordinal"]], own["first_heard"], member=False)
    lanes.member[: lanes.size] = own["member"]
    for column in lanes.columns:
        where = f"{path}/column/{column.name}"
        if where in saved:
            _restore_column(lanes, column, where, saved, numbers if column.signal in texts else None)


def _restore_column(
    lanes: LaneSet, column: Column, path: str, saved: Saved, numbers: Renumbering | None
) -> None:
    """Take up a column and those of its windows that were saved with the same accumulators."""
    size = lanes.size
    column.begin(lanes.capacity)
    if "known_value" in saved[path]:
        column.part_known()
    if "equal_since" in column.arrays and "equal_since" not in saved[path]:
        # A rule asks for it that was not there before: the readings are equal since the latest at least.
        column.arrays["equal_since"][:size] = saved[path]["times"]
    for name, array in saved[path].items():
        if name in column.arrays:
            is_text = numbers is not None and name in ("values", "known_value")
            column.arrays[name][:size] = numbers.text_values(array) if numbers and is_text else array
    for name, buckets in column.buckets():
        found = saved.get(f"{path}/window/{name}")
        if found is not None:
            buckets.restore(found, lanes.capacity)


def save_devices(devices: DeviceTable, path: str, arrays: Arrays) -> dict[str, Any]:
    """Write the clocks of a class's devices, and return what they stated."""
    spread(arrays, f"{path}/devices", {"watermark": devices.watermark[: devices.lanes.size]})
    return {
        "stated": {str(row): stated for row, stated in enumerate(devices.stated) if stated},
        "serials": {str(row): serials for row, serials in devices.serials.items()},
    }


def restore_devices(
    devices: DeviceTable, path: str, saved: Saved, document: dict[str, Any], symbols: Symbols
) -> None:
    """Take up the clocks and statements of a class's devices, whose lanes are restored already."""
    size = devices.lanes.size
    devices.reserve()
    devices.watermark[:size] = saved[f"{path}/devices"]["watermark"]
    devices.name([symbols.devices[number] for number in devices.lanes.ordinal[:size].tolist()])
    for row, stated in document["stated"].items():
        devices.state(int(row), stated)
    devices.serials.update({int(row): serials for row, serials in document["serials"].items()})

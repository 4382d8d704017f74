"""The devices of one class: their watermarks and what they say of themselves."""

from collections.abc import Mapping

import numpy as np

from rules.batch import Float64, Int64
from rules.expression.compile import Mode
from rules.lanes import NEVER, LaneSet
from rules.signals import Catalogue
from rules.symbols import DeviceId, Interner

#: What a device stated that stated nothing; most do, so they share it.
NOTHING: Mapping[str, object] = {}


class DeviceTable:
    """The lanes of a class's devices with their clocks and facts, rows as in `lanes`.

    Attributes:
        watermark: [capacity] int64, device time of the newest message, NEVER before the first.
        ids: by row.
        stated: by row, the facts that rules ask for.
        serials: by row, the serial numbers of the device (``""``) and its components, where they were stated.
    """

    def __init__(self, device_class: str, catalogue: Catalogue, texts: Interner[str]) -> None:
        self.lanes = LaneSet(device_class, "", None, catalogue)
        self._texts = texts
        self.watermark = np.full(self.lanes.capacity, NEVER, dtype=np.int64)
        self.ids: list[DeviceId] = []
        self.stated: list[Mapping[str, object]] = []
        self.serials: dict[int, dict[str, object]] = {}
        self._profiles: Interner[tuple[object, ...]] = Interner()
        self._profile = np.zeros(self.lanes.capacity, dtype=np.int32)
        self._known: set[str] = set()
        self._facts: dict[tuple[str, Mode], Float64] = {}

    def know(self, name: str) -> None:
        """Keep a fact: a rule asks for it."""
        if name not in self._known:
            self._known.add(name)
            for mode in ("number", "text"):
                self._facts[(name, mode)] = np.full(self.lanes.capacity, np.nan)

    def fact(self, name: str, mode: Mode) -> Float64:
        """Return a fact of all devices, [capacity] float64."""
        return self._facts[(name, mode)]

    def add(self, numbers: Int64, ids: list[DeviceId], arrival: Int64) -> Int64:
        """Append devices and return their rows."""
        rows = self.lanes.add(numbers, numbers, arrival, member=True)
        self.reserve()
        self.name(ids)
        return rows

    def name(self, ids: list[DeviceId]) -> None:
        """Say who the devices are whose lanes were added last; they have stated nothing yet."""
        begin = len(self.ids)
        self.ids.extend(ids)
        self.stated.extend(NOTHING for _ in ids)
        self._profile[begin : len(self.ids)] = [self._profiles.intern((device.tenant,)) for device in ids]

    def alike(self, rows: Int64) -> list[tuple[int, Int64]]:
        """Return groups of devices of one tenant that stated the same facts: one of them, and all rows."""
        if len(rows) == 1:
            return [(int(rows[0]), rows)]
        order = rows[np.argsort(self._profile[rows], kind="stable")]
        cuts = np.flatnonzero(np.diff(self._profile[order])) + 1
        return [(int(group[0]), group) for group in np.split(order, cuts) if len(group)]

    def reserve(self) -> None:
        """Grow with the lanes."""
        more = self.lanes.capacity - len(self.watermark)
        if more:
            self.watermark = np.pad(self.watermark, (0, more), constant_values=NEVER)
            self._profile = np.pad(self._profile, (0, more))
            self._facts = {
                key: np.pad(array, (0, more), constant_values=np.nan) for key, array in self._facts.items()
            }

    def state(self, row: int, facts: Mapping[str, object]) -> list[str]:
        """Take in what a device says of itself; return the components whose part was exchanged.

        A part was exchanged when a serial number that was known is another one now; ``""`` is the device.
        """
        asked = self._known & facts.keys()
        if asked:
            stated = self.stated[row] = {**self.stated[row], **{name: facts[name] for name in asked}}
            said = sorted((name, type(value).__name__, str(value)) for name, value in stated.items())
            self._profile[row] = self._profiles.intern((self.ids[row].tenant, *said))
        for name in asked:
            value = facts[name]
            text = isinstance(value, str)
            number = isinstance(value, int | float)
            self._facts[(name, "text")][row] = self._texts.intern(str(value)) if text else np.nan
            self._facts[(name, "number")][row] = (
                float(str(value))
                if number and not isinstance(value, bool)
                else (float(value is True) if number else np.nan)
            )
        return self._exchanged(row, facts)

    def _exchanged(self, row: int, facts: Mapping[str, object]) -> list[str]:
        serials = {"": facts["serial"]} if "serial" in facts else {}
        components = facts.get("components")
        if isinstance(components, Mapping):
            for name, part in components.items():
                if isinstance(part, Mapping) and "serial" in part:
                    serials[str(name)] = part["serial"]
        if not serials:
            return []
        before = self.serials.setdefault(row, {})
        exchanged = [name for name, serial in serials.items() if before.get(name, serial) != serial]
        before.update(serials)
        return exchanged

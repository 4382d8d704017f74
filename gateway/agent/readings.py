"""What the machine measures of itself each time; drives apart, which are asked seldom (drives.py)."""

from pathlib import Path

import psutil

from gateway.agent.battery import power_values
from gateway.agent.filesystems import MOUNTS, storage_values
from gateway.agent.memory import memory_values
from gateway.agent.network import network_values
from gateway.agent.sensors import fan_values, temperature_values
from gateway.agent.sysfs import SYS, Values


class Readings:
    """Measures the machine; what it has no sensor for is left out.

    A signal that was there the time before and cannot be read now is None once: unknown from here on.
    """

    def __init__(self, sys: Path = SYS, mounts: Path = MOUNTS) -> None:
        """Begin to measure the load: `read` tells its mean since the call before."""
        self._sys = sys
        self._mounts = mounts
        self._before: set[str] = set()
        psutil.cpu_percent()

    async def read(self) -> Values:
        """Return values by ``signal`` or ``signal@component``, in the catalogue's units."""
        values: Values = {"cpu.load": psutil.cpu_percent()}
        values |= temperature_values(self._sys)
        values |= fan_values(self._sys)
        values |= await power_values(self._sys)
        values |= storage_values(self._mounts)
        values |= memory_values(self._sys)
        values |= network_values(self._sys)
        gone: Values = dict.fromkeys(sorted(self._before - values.keys()))
        self._before = set(values)
        return values | gone

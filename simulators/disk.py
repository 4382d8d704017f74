"""Drives: a magnetic disk whose surface may go bad, and an NVMe drive that wears slowly."""

from numpy.random import Generator

from simulators.device import Values, Verdict, verdict
from simulators.processes import events, relax

_MAINS_HOUR_S = 3600.0


class Disk:
    """A magnetic disk with the counters of its SMART log.

    A damaged spot is found when it is read: it becomes a pending sector, an error is reported to the host
    now and then, the offline scan counts it, and at the next write it is replaced by a spare sector.

    Attributes:
        pending, reallocated, uncorrectable, offline, crc: raw counts of SMART 197, 5, 187, 198 and 199.
        unreadable: pending sectors that really cannot be read; scars of old that read well again are not.
    """

    def __init__(self, rng: Generator, name: str, air_c: float) -> None:
        self._rng = rng
        self.name = name
        self.temperature = air_c + 8
        self.pending = self.reallocated = self.uncorrectable = self.offline = self.crc = 0
        self.unreadable = 0
        self.hours = float(rng.uniform(500, 30_000))
        self.power_cycles = int(rng.integers(10, 900))

    def scar(self) -> None:
        """Give the disk the marks of something that happened long ago and is over."""
        self.pending = int(self._rng.integers(1, 9))
        self.offline = int(self._rng.integers(0, self.pending + 1))
        self.reallocated = int(self._rng.integers(4, 60))
        self.uncorrectable = int(self._rng.integers(0, 3))
        self.crc = int(self._rng.integers(0, 40))

    def lose_one_sector(self) -> None:
        """Have one sector go bad and be replaced at once, as happens to sound disks now and then."""
        self.reallocated += 1

    def advance(self, *, air_c: float, wear: float, crc_per_hour: float, dt_s: float) -> None:
        """Run for a while; `wear` 0 to 1 is how bad the surface is."""
        self.hours += dt_s / _MAINS_HOUR_S
        self.temperature = relax(self.temperature, air_c + 9, dt_s, 1800)
        self.crc += events(self._rng, crc_per_hour, dt_s)
        if wear == 0 and self.unreadable == 0:
            return
        found = events(self._rng, 45 * wear, dt_s)
        self.pending += found
        self.unreadable += found
        self.uncorrectable += events(self._rng, 0.4 * self.unreadable, dt_s)
        self.offline = min(self.unreadable, self.offline + events(self._rng, 0.5 * self.unreadable, dt_s))
        replaced = min(self.unreadable, events(self._rng, 0.25 * self.unreadable, dt_s))
        self.pending -= replaced
        self.unreadable -= replaced
        self.reallocated += replaced
        self.offline = min(self.offline, self.pending)

    def values(self) -> Values:
        """Return the SMART values by key."""
        return {
            f"disk.temperature@{self.name}": round(self.temperature),
            f"disk.reallocated_sectors@{self.name}": self.reallocated,
            f"disk.reported_uncorrectable@{self.name}": self.uncorrectable,
            f"disk.pending_sectors@{self.name}": self.pending,
            f"disk.offline_uncorrectable@{self.name}": self.offline,
            f"disk.crc_errors@{self.name}": self.crc,
            f"disk.power_on_hours@{self.name}": int(self.hours),
            f"disk.power_cycles@{self.name}": self.power_cycles,
            f"disk.smart_passed@{self.name}": True,
        }

    def self_test(self) -> Verdict:
        """Read the surface; the link to the host is not used, so a bad cable does not fail it."""
        status = "completed: read failure" if self.unreadable else "completed without error"
        return verdict(self.unreadable == 0, status=status, unreadable_sectors=self.unreadable)


class NvmeDrive:
    """A healthy NVMe drive."""

    def __init__(self, rng: Generator, name: str, air_c: float) -> None:
        self.name = name
        self.temperature = air_c + 12
        self.hours = float(rng.uniform(200, 15_000))
        self.used = int(rng.integers(0, 30))
        self.spare_threshold = 10

    def advance(self, *, air_c: float, dt_s: float) -> None:
        """Run for a while."""
        self.hours += dt_s / _MAINS_HOUR_S
        self.temperature = relax(self.temperature, air_c + 14, dt_s, 600)

    def values(self) -> Values:
        """Return the values of its health log by key."""
        return {
            f"disk.temperature@{self.name}": round(self.temperature),
            f"disk.power_on_hours@{self.name}": int(self.hours),
            f"disk.smart_passed@{self.name}": True,
            f"nvme.critical_warning@{self.name}": 0,
            f"nvme.available_spare@{self.name}": 100,
            f"nvme.spare_threshold@{self.name}": self.spare_threshold,
            f"nvme.percentage_used@{self.name}": self.used,
            f"nvme.media_errors@{self.name}": 0,
        }

    def self_test(self) -> Verdict:
        """Run the drive's own test."""
        return verdict(True, status="completed without error")

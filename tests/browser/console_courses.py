"""What the devices of the console's morning measure: seeded courses over the hours before NOW."""

import math
import random
from collections.abc import Callable

from gateway.ports import History
from rules.batch import BatchBuilder, Value
from rules.symbols import DeviceId, Symbols
from rules.times import HOUR_MS, MINUTE_MS, parse_instant

NOW = parse_instant("2026-03-12T09:30:00Z")

SERVER = DeviceId("acme", "server", "srv-014")
FRIDGE = DeviceId("nordfrost", "appliance", "fridge-031")
WASHER = DeviceId("nordfrost", "appliance", "washer-007")
PHONE = DeviceId("acme", "phone", "phone-120")
SWELLING = DeviceId("acme", "phone", "phone-044")
LAPTOP = DeviceId("acme", "pc", "pc-052")
MEMORY_PC = DeviceId("acme", "pc", "pc-017")
RACK = DeviceId("acme", "server", "srv-003")

MARKUP = '<img src=x onerror="window.pwned=1">'

Course = Callable[[float], dict[str, Value]]  # hours before NOW (negative) -> values


def send(
    history: History,
    symbols: Symbols,
    device: DeviceId,
    every: int,
    course: Course,
    *,
    start: int = NOW - 26 * HOUR_MS,
    end: int = NOW,
) -> None:
    """Store what a device measured on its course from start to end, one message each `every` ms."""
    builder = BatchBuilder(symbols)
    number = symbols.devices.intern(device)
    for ts in range(start, end + 1, every):
        builder.add(number, ts, ts + 400, course((ts - NOW) / HOUR_MS))
    history.append(symbols, builder.build(), ())


def noise(hours: float, name: str) -> float:
    """Return a value in -1...1 that is always the same for the same instant and name."""
    return random.Random(f"{name} {hours:.5f}").uniform(-1, 1)


def disk(hours: float) -> dict[str, Value]:
    grown = max(0.0, hours + 9)
    return {
        "disk.pending_sectors@sdb": float(int(grown**1.5)),
        "disk.reported_uncorrectable@sdb": float(int(max(0.0, hours + 4) * 0.8)),
        "disk.temperature@sda": round(
            33 + 2 * math.sin(hours / 3) + 0.3 * noise(hours, "disk.temperature@sda"), 1
        ),
        "disk.temperature@sdb": round(
            35 + 2 * math.sin(hours / 3) + grown * 0.4 + 0.3 * noise(hours, "disk.temperature@sdb"), 1
        ),
        "cpu.temperature@0": round(
            52 + 9 * math.sin(hours / 3.8) + 1.5 * noise(hours, "cpu.temperature@0"), 1
        ),
        "cpu.load": round(max(2.0, 38 + 24 * math.sin(hours / 3.8) + 6 * noise(hours, "cpu.load")), 1),
        "fan.rpm@1": float(5400 + int(700 * math.sin(hours / 3.8)) + int(60 * noise(hours, "fan.rpm@1"))),
        "fan.rpm@2": float(5500 + int(700 * math.sin(hours / 3.8)) + int(50 * noise(hours, "fan.rpm@2"))),
        "inlet.temperature": round(22.5 + 1.2 * math.sin(hours / 4), 1),
        "psu.ok@1": True,
        "psu.input_voltage@1": round(230 + 2 * noise(hours, "psu.input_voltage@1"), 1),
        "raid.state@0": "degraded" if hours > -1 else "optimal",
        "power.active": round(310 + 60 * math.sin(hours / 3.8) + 8 * noise(hours, "power.active")),
    }


def fridge(hours: float) -> dict[str, Value]:
    warm = max(0.0, hours + 3.2)
    cooling = hours < -3.2 and (hours * 60) % 50 < 22
    return {
        "fridge.temperature": round(4.6 + 0.7 * math.sin(hours * 7.5) + 2.6 * warm**0.8, 1),
        "freezer.temperature": round(
            -18.4 + 0.6 * math.sin(hours * 7.5) + 0.1 * noise(hours, "freezer") + 2.2 * warm, 1
        ),
        "compressor.on": cooling or hours >= -3.2,
        "compressor.power": round(
            (82 + 2 * noise(hours, "compressor")) if hours >= -3.2 or cooling else 1.5, 1
        ),
        "evaporator.fan_rpm": 0.0 if hours > -3.3 else 1450.0,
        "door.open": -20 < hours < -19.95,
        "ambient.temperature": round(21.5 + 1.5 * math.sin(hours / 4), 1),
    }


def washer(hours: float) -> dict[str, Value]:
    pumping = hours > -0.35
    return {
        "program.phase": "drain" if pumping else ("wash" if hours > -1.4 else "idle"),
        "water.level": 118.0 if hours > -1.4 else 0.0,
        "drain.pump_on": pumping,
        "drum.rpm": 0.0 if hours <= -1.4 or pumping else 52.0,
        "door.open": False,
        "power.active": 34.0 if pumping else (240.0 if hours > -1.4 else 1.0),
        "error.code": MARKUP if hours > -0.2 else None,
    }


def phone(hours: float) -> dict[str, Value]:
    level = 100 - ((hours + 26) * 9.5) % 92
    return {
        "battery.level": round(level),
        "battery.temperature": round(28 + 3 * math.sin(hours / 2), 1),
        "battery.capacity_ratio": round(0.79 - 0.0003 * (hours + 26), 4),
        "battery.cycles": 912.0,
        "power.plugged": level > 90,
        "thermal.status": 0.0,
    }


COURSES: list[tuple[DeviceId, int, Course]] = [
    (SERVER, 2 * MINUTE_MS, disk),
    (FRIDGE, MINUTE_MS, fridge),
    (WASHER, MINUTE_MS, washer),
    (PHONE, 10 * MINUTE_MS, phone),
]

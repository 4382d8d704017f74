"""Invented makes and models: what devices of three brands say of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.random import Generator

from simulators.device import Facts
from simulators.faults import DeviceKind

TENANTS = ("acme", "borealis", "castor")

#: Shortest form of a kind, as inventory labels carry it.
LABELS: dict[DeviceKind, str] = {
    "phone": "ph",
    "pc": "pc",
    "server": "srv",
    "washer": "wm",
    "fridge": "fr",
}


@dataclass(frozen=True, slots=True)
class Make:
    """A model of one brand.

    Attributes:
        firmwares: versions in the field.
        system: operating system, ``""`` when the device has none worth naming.
    """

    model: str
    firmwares: tuple[str, ...]
    system: str = ""


MAKES: dict[tuple[str, DeviceKind], tuple[Make, ...]] = {
    ("acme", "phone"): (
        Make("Lumen 5", ("LM5.2.14", "LM5.3.02"), "Android 15"),
        Make("Lumen 5 Pro", ("LP5.2.14",), "Android 15"),
    ),
    ("acme", "pc"): (
        Make("Desk 320", ("1.18.0", "1.21.3"), "Windows 11"),
        Make("Desk 540 Tower", ("2.04.1",), "Ubuntu 24.04"),
    ),
    ("acme", "server"): (Make("Rack R2400", ("3.60", "3.72"), "Debian 12"),),
    ("acme", "washer"): (Make("AquaSpin 8", ("W8-41", "W8-44")),),
    ("acme", "fridge"): (Make("CoolLine 310", ("C31-7",)),),
    ("borealis", "phone"): (
        Make("Nord X2", ("NX2-110", "NX2-118"), "Android 14"),
        Make("Nord Mini", ("NM1-087",), "Android 14"),
    ),
    ("borealis", "pc"): (Make("Fjell 14", ("F14.09", "F14.11"), "Windows 11"),),
    ("borealis", "server"): (
        Make("Glacier G8", ("8.2.1", "8.3.0"), "RHEL 9"),
        Make("Glacier G4", ("4.9.7",), "RHEL 9"),
    ),
    ("borealis", "washer"): (Make("Havn W700", ("700.12",)), Make("Havn W900", ("900.04",))),
    ("borealis", "fridge"): (Make("Havn K600", ("600.31", "600.33")),),
    ("castor", "phone"): (Make("C-One", ("C1.45", "C1.46"), "Android 15"),),
    ("castor", "pc"): (
        Make("Studio M", ("0.9.12", "0.9.20"), "Fedora 42"),
        Make("Studio S", ("0.8.3",), "Windows 11"),
    ),
    ("castor", "server"): (Make("Node 2U", ("12.1",), "Debian 12"),),
    ("castor", "washer"): (Make("Lavanda 10", ("L10-2", "L10-3")),),
    ("castor", "fridge"): (Make("Alpina 450", ("A450-19",)),),
}

#: Sort of part -> component names, of each kind of device.
PARTS: dict[DeviceKind, dict[str, tuple[str, ...]]] = {
    "phone": {"battery": ("battery",)},
    "pc": {
        "cpu": ("0",),
        "fan": ("1",),
        "disk": ("sda",),
        "nvme": ("nvme0",),
        "dimm": ("A1", "B1"),
        "psu": ("psu1",),
    },
    "server": {
        "cpu": ("0", "1"),
        "fan": ("1", "2", "3", "4"),
        "disk": ("sda", "sdb", "sdc", "sdd"),
        "dimm": ("A1", "A2", "B1", "B2"),
        "psu": ("psu1", "psu2"),
    },
    "washer": {},
    "fridge": {},
}

#: Sort of part -> models in use; processors are no spare parts with a serial of their own.
_PART_MODELS: dict[str, tuple[str, ...]] = {
    "battery": ("BAT-4500-A", "BAT-5000-B"),
    "fan": ("FAN-8038", "FAN-9225"),
    "disk": ("Tarn TN4000", "Tarn TN8000", "Oxide HX6"),
    "nvme": ("Quill Q512", "Quill Q1T"),
    "dimm": ("MEM-16G-5600", "MEM-32G-4800"),
    "psu": ("PSU-800P", "PSU-1100P"),
}
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def describe(kind: DeviceKind, tenant: str, rng: Generator) -> Facts:
    """Return the facts of a new device: model, serials, firmware, system and components."""
    makes = MAKES[tenant, kind]
    make = makes[int(rng.integers(len(makes)))]
    facts: Facts = {
        "model": make.model,
        "serial": _serial(rng, 10),
        "firmware": make.firmwares[int(rng.integers(len(make.firmwares)))],
    }
    if make.system:
        facts["os"] = make.system
    components = _components(PARTS[kind], rng)
    if components:
        facts["components"] = components
    return facts


def _components(parts: Mapping[str, tuple[str, ...]], rng: Generator) -> dict[str, dict[str, str]]:
    components = {}
    for sort, names in parts.items():
        if sort not in _PART_MODELS:
            continue
        models = _PART_MODELS[sort]
        model = models[int(rng.integers(len(models)))]  # one machine has like parts of one model
        for name in names:
            components[name] = {"model": model, "serial": _serial(rng, 8)}
    return components


def _serial(rng: Generator, digits: int) -> str:
    letters = "".join(_LETTERS[int(i)] for i in rng.integers(0, len(_LETTERS), 2))
    return letters + "".join(str(int(i)) for i in rng.integers(0, 10, digits - 2))

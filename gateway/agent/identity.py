"""Who the machine is: its name, its class, and what it says of itself."""

import platform
import socket
from pathlib import Path

from gateway.agent.battery import battery_facts
from gateway.agent.sysfs import SYS, as_name, integer_of, text_of
from gateway.errors import UserError
from gateway.wire.reasons import Unusable
from gateway.wire.topics import checked_device
from rules.symbols import DeviceId

#: Chassis of servers (main, multi-system, rack mount, blade and its enclosure): SMBIOS 3.6, 7.4.1.
_SERVER_CHASSIS = frozenset({17, 23, 25, 28, 29})

#: What boards' makers leave where the machine's maker should have written.
_PLACEHOLDERS = frozenset(
    {
        "",
        "0",
        "0123456789",
        "123456789",
        "default string",
        "empty",
        "n/a",
        "none",
        "not applicable",
        "not specified",
        "o.e.m.",
        "oem",
        "system manufacturer",
        "system product name",
        "system serial number",
        "system version",
        "to be filled by o.e.m.",
        "unknown",
    }
)


def device_id(
    tenant: str, device_class: str | None, device: str | None, *, sys: Path = SYS, host: str | None = None
) -> DeviceId:
    """Return what the machine is called; class and name are its own where none are given.

    Raises:
        UserError: a part is no name of the protocol, or the machine has none.
    """
    name = device or as_name(host if host is not None else socket.gethostname())
    if name in ("", "localhost"):
        raise UserError("this machine has no name of its own; give it one with --device")
    try:
        return checked_device(tenant, device_class or machine_class(sys), name)
    except Unusable as finding:
        raise UserError(finding.detail) from None


def machine_class(sys: Path = SYS) -> str:
    """Return ``server`` for a chassis that SMBIOS calls one, else ``pc``."""
    chassis = integer_of(sys / "class" / "dmi" / "id" / "chassis_type")
    return "server" if chassis in _SERVER_CHASSIS else "pc"


def machine_facts(sys: Path = SYS) -> dict[str, object]:
    """Return the facts of the machine, without its drives; what is not known, or is a filler, is left out.

    Serial numbers are readable for root alone.
    """
    tree = Path("firmware") / "devicetree" / "base"
    stated = {
        "model": _dmi(sys, "product_name") or _said(sys / tree / "model"),
        "manufacturer": _dmi(sys, "sys_vendor"),
        "serial": _dmi(sys, "product_serial") or _said(sys / tree / "serial-number"),
        "firmware": _dmi(sys, "bios_version"),
        "os": operating_system(),
        "kernel": platform.release(),
    }
    facts: dict[str, object] = {name: text for name, text in stated.items() if text}
    components = battery_facts(sys)
    board = {"model": "board_name", "serial": "board_serial", "manufacturer": "board_vendor"}
    stated_of_board = {fact: text for fact, file in board.items() if (text := _dmi(sys, file))}
    if stated_of_board:
        components["board"] = stated_of_board
    return {**facts, "components": components} if components else facts


def operating_system() -> str:
    """Return its name and version in its maker's words."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _dmi(sys: Path, name: str) -> str | None:
    return _said(sys / "class" / "dmi" / "id" / name)


def _said(path: Path) -> str | None:
    """Return what stands in a file, None where it is a filler."""
    text = text_of(path)
    return None if text is None or text.lower() in _PLACEHOLDERS else text

"""The agent as a systemd service."""

import re
from collections.abc import Sequence
from pathlib import Path

from gateway.errors import UserError

UNIT_NAME = "forewarn-agent.service"
UNIT_FOLDER = Path("/etc/systemd/system")

_UNIT = """\
[Unit]
Description=forewarn agent, this machine's health as a device
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
# root, since smartctl asks drives by commands that nobody else may send; of root's rights it keeps two.
CapabilityBoundingSet=CAP_SYS_RAWIO CAP_SYS_ADMIN
ExecStart={command}
Restart=on-failure
RestartSec=5
# A wrong option ends the start with a sentence in the journal and is not tried again.
RestartPreventExitStatus=1 2
KillMode=mixed
TimeoutStopSec=10

# ProtectClock and PrivateDevices would take the drives away; the clock is safe without CAP_SYS_TIME.
NoNewPrivileges=yes
PrivateTmp=yes
ProtectControlGroups=yes
# To be read, so that the room that /home has left is seen.
ProtectHome=read-only
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
UMask=0077

[Install]
WantedBy=multi-user.target
"""


def unit_text(command: Sequence[str]) -> str:
    """Return the unit that runs a command; its words reach it as they are."""
    return _UNIT.format(command=" ".join(map(_quoted, command)))


def write_unit(command: Sequence[str], folder: Path | None = None) -> Path:
    """Write the unit into systemd's folder, or another one, and return where it is; an old one is replaced.

    Raises:
        UserError: we may not, or there is no such folder: says what to do.
    """
    path = (folder or UNIT_FOLDER) / UNIT_NAME
    try:
        path.write_text(unit_text(command), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; --install needs root and systemd") from None
    return path


def _quoted(word: str) -> str:
    """Return a word as ExecStart takes it literally: systemd.service(5), command lines.

    Raises:
        UserError: it holds a control character, which no unit can.
    """
    if re.search(r"[\x00-\x1f\x7f]", word):
        raise UserError(f"{word!r}: expected a text without control characters")
    literal = word.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[A-Za-z0-9_./:=@%$+,-]+", literal):
        return literal
    escaped = literal.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

"""How much room the file systems of the machine's own storage have left."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from gateway.agent.sysfs import Values, as_name

MOUNTS = Path("/proc/self/mountinfo")

#: File systems that are images: full from the day they were made.
_IMAGES = frozenset({"squashfs", "iso9660", "udf", "erofs"})


@dataclass(frozen=True, slots=True)
class Mounted:
    """A file system in use."""

    source: str
    where: str


def storage_values(mounts: Path = MOUNTS) -> Values:
    """Return ``storage.free_ratio`` of the file system at ``/``, and ``storage.free_ratio@home`` of others.

    The ratio is what is free to users by what is used or free to them, 0 to 1: room that only root may take
    counts for neither.
    """
    values: Values = {}
    for mounted in own_filesystems(mounts):
        try:
            usage = psutil.disk_usage(mounted.where)
        except OSError:
            continue  # it went away, or we may not look
        room = usage.used + usage.free
        component = as_name(mounted.where.strip("/").replace("/", ":"))
        key = f"storage.free_ratio@{component}" if component else "storage.free_ratio"
        if room > 0 and key not in values:
            values[key] = round(usage.free / room, 4)
    return values


def own_filesystems(mounts: Path = MOUNTS) -> list[Mounted]:
    """Return the writable file systems on the machine's own storage, each once, the shortest path first.

    Whether a file system can be written is read from itself and not from the mount: a service that is kept
    from writing sees all mounts as read-only (ProtectSystem of systemd.exec).
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found: dict[str, Mounted] = {}
    for mounted in sorted(_writable(lines), key=lambda each: len(each.where)):
        # One file system may be mounted at many places; those of one ZFS pool share its room.
        pool = mounted.source if mounted.source.startswith("/") else mounted.source.partition("/")[0]
        found.setdefault(pool, mounted)
    return list(found.values())


def _writable(lines: list[str]) -> Iterator[Mounted]:
    """Read the lines of mountinfo: proc(5)."""
    for line in lines:
        mount, separator, filesystem = line.partition(" - ")
        fields, rest = mount.split(" "), filesystem.split(" ")
        if not separator or len(fields) < 6 or len(rest) < 3:
            continue
        kind, source, options = rest[0], rest[1], rest[2].split(",")
        local = source.startswith("/dev/") or kind == "zfs"
        if local and kind not in _IMAGES and "rw" in options:
            yield Mounted(_plain(source), _plain(fields[4]))


def _plain(text: str) -> str:
    r"""Return a path as it is: blanks and the like are written as ``\040`` in mountinfo."""
    for code, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, letter)
    return text

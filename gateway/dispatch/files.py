"""Files for transfer: one an event, in JSON or CSV; whoever looks sees a whole file or none."""

import asyncio
import contextlib
import csv
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.csv_cells import cell
from gateway.dispatch.cloudevent import action_of, cloud_event
from gateway.dispatch.sending import NotDeliveredError, Sent
from gateway.dispatch.targets import Target
from gateway.ports import Owed

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


class FileSender:
    """Writes events into a folder."""

    def __init__(self, target: Target) -> None:
        self._folder = target.folder
        self._format = target.format

    async def send(self, owed: Owed) -> Sent:
        """Write an event's file; one that is there already is written again, with the same content.

        Raises:
            NotDeliveredError: it cannot be written.
        """
        content = cloud_event(owed) if self._format == "json" else table_of(owed)
        path = self._folder / name_of(owed, self._format)
        try:
            await asyncio.to_thread(_write, path, content)
        except OSError as error:
            raise NotDeliveredError(f"{error.strerror}: {path}") from None
        return Sent()

    async def close(self) -> None:
        """Nothing is kept open between files."""


def name_of(owed: Owed, ending: str) -> str:
    """Return the name of an event's file; names sort in the order of the events."""
    order = _UNSAFE.sub("-", owed.order_id)[:100]
    return f"{owed.sequence:012d}-{order}-{action_of(owed)}.{ending}"


def table_of(owed: Owed) -> bytes:
    """Return the order as CSV (RFC 4180, UTF-8): a line of names such as ``device.serial``, one of values.

    Lists stand as JSON in one cell. What a spreadsheet would take for a formula begins with an apostrophe.
    """
    cells = {"event": owed.type} | dict(_flat(json.loads(owed.payload)))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(cells)
    writer.writerow(map(_cell, cells.values()))
    return text.getvalue().encode("utf-8")


def _flat(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return str(cell(value))
    return json.dumps(value, ensure_ascii=False)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name, too, outlives a loss of power
    finally:
        os.close(folder)

"""``forewarn orders paper`` and ``export``: orders as papers, and all of them for other programs."""

import csv
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from diagnostics.orders.model import ServiceOrder
from gateway.config import Config, load_config
from gateway.csv_cells import cell
from gateway.errors import UserError
from gateway.papers.making import Paper
from gateway.ports import Ledger, StoredReading
from rules.symbols import DeviceId

PAGE = 500

#: Columns of the table: the order's scalars by their paths; lists as JSON.
COLUMNS = (
    *("order_id", "tenant", "state", "opened_at", "case_id", "reason"),
    *(
        "device.class",
        "device.device",
        "device.component",
        "device.model",
        "device.serial",
        "device.firmware",
    ),
    *("fault.code", "fault.title", "fault.severity", "diagnosis.confidence", "diagnosis.explanation"),
    *("customer.owner", "customer.contact", "customer.language", "customer.time_zone"),
    *("site.address", "site.country"),
    *("entitlement.status", "entitlement.coverage", "entitlement.ends", "entitlement.contract"),
    *("service.channel", "service.provider.id", "service.provider.name", "service.minutes"),
    *("service.respond_by", "service.resolve_by"),
    *("estimate.currency", "estimate.parts", "estimate.labour", "estimate.transport", "estimate.payer"),
    *("parts", "missing", "links.console"),
)


ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")]


def paper(
    order_id: Annotated[str, typer.Argument(metavar="ORDER", help="SO-...")],
    kind: Annotated[
        Paper, typer.Option("--format", help="erif is the European Repair Information Form.")
    ] = Paper.PDF,
    out: Annotated[
        Path | None, typer.Option(help="Write here; - is standard output. Else ORDER with its suffix.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Write an order and its evidence as one page for the technician, or its repair information form."""
    from gateway.cli.history import stored_readings
    from gateway.ledger.store import SqlLedger
    from gateway.loading import load_packs
    from gateway.papers.dossier import gather
    from gateway.papers.making import made

    loaded = load_config(config)

    def readings(
        device: DeviceId, *, signal: str | None, start: int | None, end: int | None
    ) -> list[StoredReading]:
        if not loaded.history_path.exists():
            return []
        return stored_readings(loaded, device, signal=signal, start=start, end=end)

    ledger = SqlLedger.open_readonly(f"sqlite:///{loaded.ledger_path}")
    try:
        order = ledger.order(order_id)
        if order is None:
            raise UserError(f"there is no order {order_id}")
        now = int(time.time() * 1000)
        dossier = gather(order, ledger, readings, load_packs(loaded).catalogue, now=now)
    finally:
        ledger.close()
    data = made(kind, dossier)
    if out == Path("-"):
        sys.stdout.buffer.write(data)
        return
    target = out or Path(f"{order.order_id}{kind.suffix}")
    try:
        target.write_bytes(data)
    except OSError as error:
        raise UserError(f"{target}: {error.strerror}") from None
    print(target)


def export(
    as_csv: Annotated[bool, typer.Option("--csv", help="A table with a header instead of JSON.")] = False,
    state: Annotated[str | None, typer.Option(help="A state, or open.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write here instead of standard output.")] = None,
    config: ConfigOption = None,
) -> None:
    """Write all orders, newest first: one a line as JSON, or as a table."""
    from diagnostics.orders.model import OrderState
    from gateway.ledger.store import SqlLedger

    states = ["open", *(known.value for known in OrderState)]
    if state is not None and state not in states:
        raise typer.BadParameter(f"--state: expected one of {', '.join(states)}, got {state!r}")
    loaded: Config = load_config(config)
    ledger = SqlLedger.open_readonly(f"sqlite:///{loaded.ledger_path}")
    try:
        if out is None or out == Path("-"):
            _write(sys.stdout, _orders(ledger, state), as_csv)
        else:
            _write_file(out, _orders(ledger, state), as_csv)
    finally:
        ledger.close()


def _write_file(path: Path, orders: Iterator[ServiceOrder], as_csv: bool) -> None:
    """Write a file whole or not at all; it has people's addresses in it, so it is its owner's only."""
    draft = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            _write(file, orders, as_csv)
        draft.replace(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)


def _orders(ledger: Ledger, state: str | None) -> Iterator[ServiceOrder]:
    cursor = None
    while True:
        page = ledger.orders(state=state, cursor=cursor, limit=PAGE)
        yield from page.items
        cursor = page.next
        if cursor is None:
            return


def _write(file: Any, orders: Iterator[ServiceOrder], as_csv: bool) -> None:
    if not as_csv:
        for order in orders:
            file.write(json.dumps(order.document(), ensure_ascii=False) + "\n")
        return
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for order in orders:
        document = order.document()
        writer.writerow([_cell(document, column) for column in COLUMNS])


def _cell(document: dict[str, Any], column: str) -> str | int | float | None:
    """Return a field as a table has it: never as something that a spreadsheet would work out."""
    value: Any = document
    for key in column.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return str(cell(value))
    return value if isinstance(value, int | float) else None

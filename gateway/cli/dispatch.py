"""``forewarn dispatch``: what was given up on its way to other systems, and once more after a fix."""

import json
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Console
from rich.table import Table

from gateway.config import Config, load_config
from gateway.errors import UserError
from gateway.plainwords import shown
from gateway.ports import Delivery, DeliveryState
from rules.times import to_rfc3339

dispatch_app = typer.Typer(
    help="Deliveries of orders to other systems, also while the gateway runs.", no_args_is_help=True
)

WIDEST = 250
MOST_LISTED = 1_000_000
ALL = "all"

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")]
TargetOption = Annotated[str | None, typer.Option(help="Only this target.")]


@dispatch_app.command("list")
def list_deliveries(
    target: TargetOption = None,
    state: Annotated[str, typer.Option(help="dead, waiting, delivered, overtaken or all.")] = "dead",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="The latest so many.")] = 100,
    config: ConfigOption = None,
) -> None:
    """List deliveries, dead letters if nothing else is asked for, the latest first."""
    wanted = _state(state)
    found = _rows(load_config(config), target, wanted, limit)
    if as_json:
        for row in found:
            print(json.dumps(_document(row), ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False)
    for name in ("number", "target", "state", "changed", "attempts", "event", "behind"):
        table.add_column(name, no_wrap=True)
    table.add_column("what happened")
    for row in found:
        owed = row.owed
        told = (owed.number, owed.target, row.state, to_rfc3339(row.changed), owed.attempts, owed.event_id)
        table.add_row(*map(str, told), str(row.behind or ""), shown(row.detail or ""))
    Console(width=WIDEST, markup=False, highlight=False).print(
        table if table.row_count else ("No dead letters." if wanted == "dead" else "No such deliveries.")
    )


@dispatch_app.command("retry")
def retry_deliveries(
    numbers: Annotated[
        list[int] | None, typer.Argument(metavar="[NUMBER]...", help="Of dead letters.")
    ] = None,
    target: TargetOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    config: ConfigOption = None,
) -> None:
    """Have dead letters sent again, after a fix."""
    from gateway.ledger.outbox import SqlOutbox

    if bool(numbers) + (target is not None) + everything != 1:
        raise typer.BadParameter("expected numbers of dead letters, or --target, or --all")
    loaded = load_config(config)
    outbox = SqlOutbox.open_present(f"sqlite:///{loaded.ledger_path}")
    try:
        marked, missing = outbox.retry(numbers=numbers or None, target=target)
    finally:
        outbox.close()
    letters = "1 dead letter" if marked == 1 else f"{marked:,} dead letters"
    print(f"{letters} will be sent again; the gateway takes them within seconds, or at its next start.")
    if missing:
        raise UserError(f"no dead letters: {', '.join(map(str, missing))}")


def _state(text: str) -> DeliveryState | None:
    if text == ALL:
        return None
    for state in get_args(DeliveryState):
        if text == state:
            found: DeliveryState = state
            return found
    raise typer.BadParameter(
        f"--state: expected one of {', '.join((*get_args(DeliveryState), ALL))}, got {text!r}"
    )


def _rows(config: Config, target: str | None, state: DeliveryState | None, limit: int) -> list[Delivery]:
    from gateway.ledger.outbox import SqlOutbox

    outbox = SqlOutbox.open_readonly(f"sqlite:///{config.ledger_path}")
    found: list[Delivery] = []
    cursor = None
    try:
        while len(found) < limit:
            page = outbox.deliveries(
                target=target, state=state, cursor=cursor, limit=min(500, limit - len(found))
            )
            found += page.items
            cursor = page.next
            if cursor is None:
                break
    finally:
        outbox.close()
    return found


def _document(row: Delivery) -> dict[str, object]:
    owed = row.owed
    return {
        "number": owed.number,
        "target": owed.target,
        "state": row.state,
        "event_id": owed.event_id,
        "type": owed.type,
        "order_id": owed.order_id,
        "tenant": owed.tenant,
        "created": to_rfc3339(owed.created),
        "changed": to_rfc3339(row.changed),
        "attempts": owed.attempts,
        "due": to_rfc3339(row.due) if row.state == "waiting" else None,
        "ticket": None if owed.ticket is None else owed.ticket.id,
        "behind": row.behind,
        "detail": row.detail,
    }

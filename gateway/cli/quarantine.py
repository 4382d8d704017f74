"""``forewarn quarantine``: what could not be used, listed, and submitted again after a fix."""

import base64
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gateway.config import Config, load_config
from gateway.errors import UserError
from gateway.plainwords import harmless
from gateway.wire.reasons import QuarantineReason
from gateway.wire.topics import is_filter
from rules.times import parse_duration, parse_instant, to_rfc3339

quarantine_app = typer.Typer(
    help="Messages that could not be used, also while the gateway runs.", no_args_is_help=True
)

WIDEST = 250
MOST_LISTED = 1_000_000

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")]
ReasonOption = Annotated[str | None, typer.Option(help="Only this reason; docs/quarantine.md lists them.")]
TopicOption = Annotated[str | None, typer.Option(help="Only topics that this MQTT filter takes.")]
TenantOption = Annotated[str | None, typer.Option(help="Only this tenant's own topics.")]
SinceOption = Annotated[
    str | None, typer.Option(help="Not before: RFC 3339, ms since 1970, or a span up to now such as 2h.")
]


@quarantine_app.command("list")
def list_quarantine(
    reason: ReasonOption = None,
    topic: TopicOption = None,
    tenant: TenantOption = None,
    since: SinceOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="The newest so many.")] = 100,
    config: ConfigOption = None,
) -> None:
    """List what could not be used, newest first."""
    loaded = load_config(config)
    topic, from_ms = _topic(loaded, topic, tenant), _since(since)
    rows = _rows(loaded, _reason(reason), topic, from_ms, limit)
    if as_json:
        for document in rows:
            print(json.dumps(document, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False)
    for name in ("number", "arrived", "reason", "topic", "retry"):
        table.add_column(name, no_wrap=True)
    table.add_column("what was expected")
    for row in rows:
        retry = "retried" if row["retried_at"] else "waits" if row["retry_requested_at"] else ""
        retry = retry or ("not whole" if row["truncated"] else "")
        told = (row["number"], row["arrival"], row["reason"], row["topic"], retry, row["detail"])
        table.add_row(*(harmless(str(one)) for one in told))
    Console(width=WIDEST, markup=False, highlight=False).print(
        table if table.row_count else "Nothing in quarantine."
    )


@quarantine_app.command("retry")
def retry_quarantine(
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[NUMBER]...", help="Of rows.")] = None,
    reason: ReasonOption = None,
    topic: TopicOption = None,
    tenant: TenantOption = None,
    since: SinceOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were not retried before.")] = False,
    config: ConfigOption = None,
) -> None:
    """Ask the gateway to take what could not be used once more, after a fix."""
    from gateway.ledger.store import SqlLedger

    filters = any(given is not None for given in (reason, topic, tenant, since))
    if bool(numbers) + filters + everything != 1:
        raise typer.BadParameter(
            "expected numbers of rows, or filters (--reason, --topic, --tenant, --since), or --all"
        )
    loaded = load_config(config)
    found_topic, from_ms = _topic(loaded, topic, tenant), _since(since)
    ledger = SqlLedger.open_present(f"sqlite:///{loaded.ledger_path}")
    try:
        request = ledger.request_retries(
            numbers=numbers or None, reason=_reason(reason), topic=found_topic, since=from_ms
        )
    finally:
        ledger.close()
    rows = "1 row" if request.marked == 1 else f"{request.marked:,} rows"
    print(f"{rows} marked; the gateway takes them within seconds, or at its next start.")
    if request.cut:
        more = ", ..." if request.cut > len(request.cut_numbers) else ""
        print(
            f"{request.cut:,} cannot be retried, since only the first part of the payload was kept:"
            f" {', '.join(map(str, request.cut_numbers))}{more}"
        )
    if request.missing:
        raise UserError(f"not in quarantine: {', '.join(map(str, request.missing))}")


def _rows(
    config: Config, reason: str | None, topic: str | None, since: int | None, limit: int
) -> list[dict[str, object]]:
    from gateway.ledger.store import SqlLedger

    ledger = SqlLedger.open_readonly(f"sqlite:///{config.ledger_path}")
    found: list[dict[str, object]] = []
    cursor = None
    try:
        while len(found) < limit:
            page = ledger.quarantine(
                reason=reason, topic=topic, since=since, cursor=cursor, limit=min(500, limit - len(found))
            )
            for row in page.items:
                message = row.message
                found.append(
                    {
                        "number": row.number,
                        "arrival": to_rfc3339(message.arrival),
                        "reason": message.reason,
                        "topic": message.topic,
                        "detail": message.detail,
                        "payload": message.payload.decode("utf-8", errors="replace"),
                        "payload_b64": base64.b64encode(message.payload).decode("ascii"),
                        "truncated": message.truncated,
                        "retry_requested_at": _instant(row.retry_requested_at),
                        "retried_at": _instant(row.retried_at),
                    }
                )
            cursor = page.next
            if cursor is None:
                break
    finally:
        ledger.close()
    return found


def _instant(ms: int | None) -> str | None:
    return None if ms is None else to_rfc3339(ms)


def _reason(text: str | None) -> str | None:
    known = [reason.value for reason in QuarantineReason]
    if text is not None and text not in known:
        raise typer.BadParameter(f"--reason: expected one of {', '.join(known)}, got {text!r}")
    return text


def _topic(config: Config, topic: str | None, tenant: str | None) -> str | None:
    if tenant is not None:
        if topic is not None:
            raise typer.BadParameter("--tenant is a filter of topics: expected it or --topic, got both")
        topic = f"{config.broker.topic_root}/{tenant}/#"
    if topic is not None and not is_filter(topic):
        raise typer.BadParameter(f"expected an MQTT topic filter such as fw/acme/#, got {topic!r}")
    return topic


def _since(text: str | None) -> int | None:
    if text is None:
        return None
    from gateway.clock import SystemClock

    try:
        return SystemClock().now() - parse_duration(text)
    except ValueError:
        pass
    try:
        return parse_instant(int(text) if text.isdigit() else text)
    except ValueError:
        raise typer.BadParameter(
            f"--since: expected RFC 3339, ms since 1970, or a span such as 2h, got {text!r}"
        ) from None

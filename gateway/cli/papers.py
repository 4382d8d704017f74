"""Orders and scores as text for people, with rich's markup."""

from typing import Any, cast

from rich.markup import escape

from diagnostics.naming import part_words
from diagnostics.orders.model import NOT_TO_ASK
from gateway.plainwords import shown
from simulators.scoring import Score

_SEVERITY = {"critical": "bold red", "major": "yellow", "minor": "cyan"}


def order_lines(document: dict[str, object]) -> list[str]:
    """Return an order as its technician reads it."""
    order = cast(dict[str, Any], document)
    device, fault, service = order["device"], order["fault"], order["service"]
    customer, site, entitlement = order["customer"], order["site"], order["entitlement"]
    colour = _SEVERITY[fault["severity"]]
    lines = [
        f"[{colour}]{fault['severity']}[/] [bold]{escape(fault['title'])}[/]  {order['order_id']}  "
        f"{order['opened_at']}",
        _row(
            "Device",
            f"{order['tenant']}/{device['class']}/{device['device']}",
            device["model"],
            device["serial"] and f"serial {device['serial']}",
        ),
        _row("Faulty", *_faulty(device, order["diagnosis"]["evidence"])),
        _row("Why", order["diagnosis"]["explanation"]),
    ]
    lines += [
        _row("Self test", f"{p['action']} {p['state']} at {p['at']}") for p in order["diagnosis"]["probes"]
    ]
    lines += [_row("First", r["action"]) for r in order["diagnosis"]["remedies"] if r["state"] == "proposed"]
    lines += [_row("Part", f"{p['quantity']} x {p['title']}", p["part"], _stock(p)) for p in order["parts"]]
    lines += [
        _row(
            "Customer",
            customer["owner"],
            customer["contact"],
            customer["language"],
            site["address"],
            site["country"],
        ),
        _row(
            "Repairer",
            (service["provider"] or {}).get("name"),
            service["channel"],
            _minutes(service["minutes"]),
            service["resolve_by"] and f"done by {service['resolve_by']}",
        ),
        _row(
            "Coverage",
            entitlement["status"].replace("_", " "),
            entitlement["coverage"],
            entitlement["ends"] and f"until {entitlement['ends']}",
            _payer(order["estimate"]),
        ),
    ]
    lines += _missing(order["missing"])
    if order["links"]["console"]:
        lines.append(_row("Console", order["links"]["console"]))
    return [line for line in lines if line] + [""]


def _row(name: str, *parts: str | None) -> str:
    told = [escape(shown(str(part))) for part in parts if part]
    return f"  [dim]{name:<10}[/]{', '.join(told)}" if told else ""


def _missing(entries: list[dict[str, str]]) -> list[str]:
    """Return what is missing and can be asked for, a line a reason."""
    fields: dict[str, list[str]] = {}
    for entry in entries:
        if entry["field"] not in NOT_TO_ASK:
            fields.setdefault(entry["why"], []).append(entry["field"])
    return [_row("Missing", f"{', '.join(names)}: {why}") for why, names in fields.items()]


def _faulty(device: dict[str, Any], evidence: list[dict[str, Any]]) -> tuple[str | None, ...]:
    part = device["part"] or {"model": None, "serial": None}
    component = device["component"] and part_words(device["component"], (one["signal"] for one in evidence))
    return (component, part["model"], part["serial"] and f"serial {part['serial']}")


def _stock(part: dict[str, Any]) -> str | None:
    if part["in_stock"] is None:
        return None
    if not part["in_stock"]:
        return "not in stock"
    return f"in stock at {part['warehouse']}" if part["warehouse"] else "in stock, warehouse not chosen"


def _minutes(minutes: int | None) -> str | None:
    return f"{minutes} min" if minutes else None


def _payer(estimate: dict[str, Any]) -> str | None:
    shares = [f"{', '.join(share['of'])} by {share['payer']}" for share in estimate.get("shares", ())]
    by = ", ".join(shares) or (estimate["payer"] and f"by {estimate['payer']}")
    return f"paid {by}" if by else None


def score_lines(score: Score) -> list[str]:
    """Return the score as text."""
    delay = (
        "no order yet"
        if score.median_delay_s is None
        else f"{score.median_delay_s / 60:.0f} min of device time"
    )
    lines = [
        f"[bold]Score[/]  {score.ordered} of {score.injected} injected faults ordered, "
        f"{score.false_orders} false orders; median delay from onset to order: {delay}",
    ]
    for missed in score.missed:
        part = f" {missed.component}" if missed.component else ""
        age = f"begun {missed.age_s / 60:.0f} min before the end"
        lines.append(f"  [yellow]no order[/] {missed.fault} of {missed.device}{part}, {age}")
    return lines

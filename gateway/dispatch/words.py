"""An order in plain words, for those who read it in their mailbox."""

from collections.abc import Iterator
from typing import Any


def one_line(text: object) -> str:
    """Return what a device or a registry said as one line without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def subject_of(order: dict[str, Any], action: str) -> str:
    """Return a subject line: which order, what happened to it, what is broken."""
    device = order["device"]
    broken = f"{order['fault']['title']}, {device['model'] or device['class']} {device['device']}"
    return one_line(f"[{order['order_id']}] {action}: {order['fault']['severity']}, {broken}")[:200]


def text_of(order: dict[str, Any], action: str) -> str:
    """Return the order as text: a line a fact, sections in the order in which they are asked for."""
    return "\n".join(_lines(order, action)) + "\n"


def _lines(order: dict[str, Any], action: str) -> Iterator[str]:
    device, fault, diagnosis, service = order["device"], order["fault"], order["diagnosis"], order["service"]
    customer, site, entitlement = order["customer"], order["site"], order["entitlement"]
    yield f"Service order {one_line(order['order_id'])} was {action}. It is {one_line(order['state'])}."
    yield ""
    yield from _row("Fault", fault["title"], fault["severity"], fault["code"])
    if fault.get("danger"):
        yield from _row("Danger", "someone or something can come to harm")
    yield from _row("Device", device["model"], device["class"], device["device"])
    yield from _row("Serial", device["serial"])
    yield from _row("Component", device["component"])
    yield from _row("Firmware", device["firmware"])
    yield from _row("Why", diagnosis["explanation"])
    for cause in diagnosis["causes"]:
        yield from _row("Cause", cause["cause"], _percent(cause["probability"]))
    for probe in diagnosis["probes"]:
        yield from _row("Self test", probe["action"], probe["state"], probe["at"])
    for remedy in diagnosis["remedies"]:
        yield from _row("Remedy", remedy["action"], remedy["state"])
    yield ""
    yield from _row("Customer", customer["owner"], customer["contact"], customer["language"])
    yield from _row("Site", site["address"], site["country"])
    yield from _row("Entitlement", entitlement["status"].replace("_", " "), entitlement["coverage"])
    yield from _row("Service", (service["provider"] or {}).get("name"), service["channel"])
    yield from _row("Respond by", service["respond_by"])
    yield from _row("Resolve by", service["resolve_by"])
    for part in order["parts"]:
        yield from _row("Part", f"{part['quantity']} x {part['title']}", part["part"], part["warehouse"])
    for gap in order["missing"]:
        yield from _row("Missing", gap["field"], gap["why"])
    if order["links"]["console"]:
        yield ""
        yield one_line(order["links"]["console"])


def _row(name: str, *values: object) -> Iterator[str]:
    told = [one_line(value) for value in values if value not in (None, "")]
    if told:
        yield f"{name + ':':<13}{', '.join(told)}"


def _percent(probability: float | None) -> str | None:
    return None if probability is None else f"{probability:.0%}"

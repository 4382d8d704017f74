"""Addresses of the console's pages."""

from urllib.parse import quote, urlencode

from rules.symbols import DeviceId


def case_path(case_id: str) -> str:
    """Return the page of a case."""
    return f"/cases/{quote(case_id, safe='')}"


def order_path(order_id: str) -> str:
    """Return the page of an order."""
    return f"/orders/{quote(order_id, safe='')}"


def paper_path(order_id: str, paper: str) -> str:
    """Return where the API gives a paper of an order: ``paper.pdf``, ``paper.html``, ``repair-form.html``."""
    return f"/api/v1/orders/{quote(order_id, safe='')}/{paper}"


def device_path(device: DeviceId) -> str:
    """Return the page of a device."""
    return "/devices/" + "/".join(quote(part, safe="") for part in device)


def with_filters(path: str, **filters: str | None) -> str:
    """Return a list's page with those filters that are set."""
    chosen = {name: value for name, value in filters.items() if value}
    return f"{path}?{urlencode(chosen)}" if chosen else path


def rule_path(rule_id: str) -> str:
    """Return the page of a rule."""
    return f"/rules/{quote(rule_id, safe='')}"


def pack_path(name: str) -> str:
    """Return the page on which a pack of the user's own is edited."""
    return f"/packs/{quote(name, safe='')}"


def copy_path(rule_id: str) -> str:
    """Return the page on which limits of a shipped rule are changed."""
    return f"/packs?{urlencode({'copy': rule_id})}"


def new_pack_path() -> str:
    """Return the page on which a new pack is written."""
    return "/packs"

"""Stored readings for the command line: from the file, or from the gateway that holds it."""

import json
from typing import Any

import httpx

from gateway.config import Config
from gateway.errors import OutsideError, StoreUnavailableError, UserError
from gateway.history.duckdb_store import DuckDbHistory
from gateway.ports import StoredReading
from rules.symbols import DeviceId
from rules.times import parse_instant


def stored_readings(
    config: Config, device: DeviceId, *, signal: str | None, start: int | None, end: int | None
) -> list[StoredReading]:
    """Return one device's readings in order of time.

    Raises:
        UserError: there is no history.
        OutsideError: it is held by a process that does not answer.
    """
    if not config.history_path.exists():
        raise UserError(f"there is no history at {config.history_path}")
    try:
        history = DuckDbHistory.open_readonly(config.history_path)
    except StoreUnavailableError as error:
        url = _running_gateway(config)
        if url is None:
            raise OutsideError(str(error)) from None
        return _ask(url, device, signal=signal, start=start, end=end)
    try:
        return history.telemetry(device, signal=signal, start=start, end=end)
    finally:
        history.close()


def _running_gateway(config: Config) -> str | None:
    """Return where the gateway that holds the history answers, from the word it left."""
    try:
        document = json.loads((config.data_dir / "gateway.json").read_text(encoding="utf-8"))
        return str(document["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _ask(
    url: str, device: DeviceId, *, signal: str | None, start: int | None, end: int | None
) -> list[StoredReading]:
    parameters: dict[str, Any] = {"signal": signal, "from": start, "to": end}
    try:
        answer = httpx.get(
            f"{url}/api/v1/devices/{device}/telemetry",
            params={name: value for name, value in parameters.items() if value is not None},
            timeout=60,
        )
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        answer.raise_for_status()
        return [_reading(item) for item in answer.json()["items"]]
    except httpx.HTTPError as error:
        raise OutsideError(f"the running gateway at {url} did not answer: {error}") from None


def _reading(item: dict[str, Any]) -> StoredReading:
    return StoredReading(
        parse_instant(item["ts"]),
        item["signal"],
        item["component"] or "",
        item["value"],
        parse_instant(item["arrival"]),
    )

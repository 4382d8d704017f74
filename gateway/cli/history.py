"""Stored readings for the command line: from the file, or from the gateway that holds it."""

import json
from typing import Any, NamedTuple

import httpx

from gateway.config import Config
from gateway.errors import OutsideError, StoreUnavailableError, UserError
from gateway.history.duckdb_store import DuckDbHistory
from gateway.ports import StoredReading
from rules.symbols import DeviceId
from rules.times import parse_instant

PAGE = 20_000


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
        running = running_gateway(config)
        if running is None:
            raise OutsideError(str(error)) from None
        return _ask(running, device, signal=signal, start=start, end=end)
    try:
        return history.telemetry(device, signal=signal, start=start, end=end)
    finally:
        history.close()


class Running(NamedTuple):
    """A gateway that runs: where it answers, and the headers by which it knows the command line."""

    url: str
    headers: dict[str, str]


def running_gateway(config: Config) -> Running | None:
    """Return where the gateway that holds the history answers, from the word it left."""
    try:
        document = json.loads((config.data_dir / "gateway.json").read_text(encoding="utf-8"))
        return Running(str(document["url"]), {"Authorization": f"Bearer {document['token']}"})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def heard_of(config: Config, device: DeviceId) -> int | None:
    """Return the arrival of a device's last message as the running gateway knows it, ms, or None."""
    running = running_gateway(config)
    if running is None:
        return None
    try:
        answer = httpx.get(f"{running.url}/api/v1/devices/{device}", headers=running.headers, timeout=5)
        return parse_instant(answer.raise_for_status().json()["last_seen"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None  # the word of one that was killed


def _ask(
    running: Running, device: DeviceId, *, signal: str | None, start: int | None, end: int | None
) -> list[StoredReading]:
    given = {"signal": signal, "from": start, "to": end}
    parameters: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    pages: list[list[StoredReading]] = []  # the API begins with the latest
    try:
        with httpx.Client(timeout=60, headers=running.headers) as client:
            while True:
                answer = client.get(
                    f"{running.url}/api/v1/devices/{device}/telemetry", params={**parameters, "limit": PAGE}
                )
                if answer.status_code == httpx.codes.NOT_FOUND:
                    return []
                document = answer.raise_for_status().json()
                pages.append([_reading(item) for item in document["items"]])
                if document["next"] is None:
                    break
                parameters["cursor"] = document["next"]
    except httpx.HTTPError as error:
        raise OutsideError(f"the running gateway at {running.url} did not answer: {error}") from None
    return [reading for page in reversed(pages) for reading in page]


def _reading(item: dict[str, Any]) -> StoredReading:
    return StoredReading(
        parse_instant(item["ts"]),
        item["signal"],
        item["component"] or "",
        item["value"],
        parse_instant(item["arrival"]),
    )

"""A backtest by the gateway that holds the history, asked for and followed over its API."""

import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import msgspec

from gateway.backtest.plan import Backtest, Progress
from gateway.backtest.result import BacktestResult
from gateway.errors import OutsideError, UserError

#: Seconds between two looks at how far it is.
_LOOK_EVERY = 0.5
_TIMEOUT = 60.0


def ask(
    url: str,
    asked: Backtest,
    show: Callable[[Progress], None],
    written: tuple[str, str | None],
    *,
    headers: Mapping[str, str],
) -> BacktestResult:
    """Have a running gateway do it and return the result; one that is interrupted is cancelled there.

    Args:
        url: of the gateway.
        asked: what is to be tried.
        show: is told how far it is.
        written: beginning and end of the span as the user wrote them; the end may be left out.
        headers: by which the gateway knows the command line.

    Raises:
        UserError: the gateway refuses what it is given.
        OutsideError: it does not answer, or the backtest failed there.
    """
    try:
        with httpx.Client(base_url=url, headers=dict(headers), timeout=_TIMEOUT) as client:
            job = _said(client.post("/api/v1/backtests", json=_request(asked, written)))
            path = f"/api/v1/backtests/{job['id']}"
            before = signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                while job["state"] == "running":
                    time.sleep(_LOOK_EVERY)
                    job = _said(client.get(path))
                    show(Progress(**job["progress"]))
            except KeyboardInterrupt:
                client.delete(path)
                raise
            finally:
                signal.signal(signal.SIGINT, before)
    except httpx.HTTPError as error:
        raise OutsideError(f"the running gateway at {url} did not answer: {error}") from None
    if job["state"] != "done":
        raise OutsideError(job["error"] or "the backtest was cancelled at the gateway")
    return msgspec.convert(job["result"], BacktestResult)


def _request(asked: Backtest, written: tuple[str, str | None]) -> dict[str, Any]:
    request: dict[str, Any] = {
        "packs": [],
        "texts": {name: content.decode() for name, content in asked.candidate},
        "from": written[0],
        "to": written[1],
    }
    if asked.warm_up_ms is not None:
        request["warm_up"] = f"{asked.warm_up_ms // 1000}s"
    if asked.truth is not None:
        request["truth"] = [label._asdict() for label in asked.truth]
    return request


def _said(answer: httpx.Response) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if answer.headers.get("content-type", "").startswith("application/"):
        document = answer.json()
    if answer.is_success:
        return document
    detail = str(document.get("detail", f"status {answer.status_code}"))
    if answer.status_code in (httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.REQUEST_ENTITY_TOO_LARGE):
        raise UserError(detail)
    raise OutsideError(f"the running gateway refuses: {detail}")

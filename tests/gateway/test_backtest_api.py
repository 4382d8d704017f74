"""Backtests over HTTP: begun, followed, one at a time, cancelled; for those who may change rules."""

import asyncio
from contextlib import ExitStack

import pytest
from browser.site import open_site
from httpx import ASGITransport, AsyncClient

from gateway.access.principal import Principal, Role
from gateway.api.app import create_app
from gateway.backtest.jobs import Backtests
from gateway.clock import ManualClock
from gateway.config import Config, RulesTable
from rules.batch import BatchBuilder
from rules.symbols import DeviceId
from rules.times import DAY_MS, MINUTE_MS

NOW = 1_767_225_600_000 + DAY_MS
PACK = """\
pack: mine
rules:
  - id: hot
    fault: cpu.overheating
    for_devices: {{class: server}}
    when: cpu.temperature > {limit}
    hold: 10m
"""


class Known:
    """Callers of a test: `who` asks."""

    who = Principal("eve", {"*": Role.ENGINEER})

    async def identify(self, _connection):
        return self.who


class Slow:
    """A history that waits until it is told to go on, so that something can happen meanwhile."""

    def __init__(self, history):
        self.history = history
        self.go_on = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def span(self, **asked):
        asyncio.run_coroutine_threadsafe(self.go_on.wait(), self.loop).result(60)
        return self.history.span(**asked)


@pytest.fixture
async def api(tmp_path):
    with ExitStack() as stack:
        site = open_site(tmp_path, stack, seeded=False)
        builder = BatchBuilder(site.symbols)
        number = site.symbols.devices.intern(DeviceId("acme", "server", "srv-1"))
        for at in range(NOW - DAY_MS, NOW, 30 * MINUTE_MS):
            builder.add(number, at, at, {"cpu.temperature": 85.0})
        site.history.append(site.symbols, builder.build(), [])
        pack = tmp_path / "mine.yaml"
        pack.write_text(PACK.format(limit=95))
        slow = Slow(site.history)
        config = Config(data_dir=tmp_path, rules=RulesTable(packs=[str(pack)]))
        backtests = Backtests(slow, site.ledger, config, ManualClock(NOW))
        stack.callback(backtests.close)
        app = create_app(
            ledger=site.ledger, history=site.history, events=site.events, health=site.health,
            pipeline_rules=None, changes=site.feed, callers=(callers := Known()), tried=backtests,
        )  # fmt: skip
        async with AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1:8080") as client:
            client.slow, client.callers, client.pack, client.backtests = slow, callers, str(pack), backtests
            yield client
            slow.go_on.set()


async def ended(api, location):
    await asyncio.to_thread(api.backtests.wait, 120)
    return (await api.get(location)).json()


async def test_a_backtest_is_begun_followed_and_read(api):
    asked = {"texts": {api.pack: PACK.format(limit=80)}, "from": "1d"}
    begun = await api.post("/api/v1/backtests", json=asked)
    assert begun.status_code == 202, begun.text
    location = begun.headers["location"]
    assert (begun.json()["state"], begun.json()["by"]) == ("running", "eve")
    second = await api.post("/api/v1/backtests", json=asked)
    assert (second.status_code, "one at a time" in second.json()["detail"]) == (409, True)
    api.slow.go_on.set()
    job = await ended(api, location)
    assert (job["state"], job["progress"]) == ("done", {"done": 48, "total": 48})
    result = job["result"]
    assert (result["today"]["orders"], result["candidate"]["orders"]) == (0, 1)
    assert [one["kind"] for one in result["differences"]] == ["only_candidate"]


async def test_a_backtest_is_cancelled_and_one_that_fails_says_why(api):
    location = (await api.post("/api/v1/backtests", json={})).headers["location"]
    assert (await api.delete(location)).status_code == 202
    api.slow.go_on.set()
    assert (await ended(api, location))["state"] == "cancelled"
    nothing = await api.post("/api/v1/backtests", json={"from": "90d", "to": "60d"})
    job = await ended(api, nothing.headers["location"])
    assert (job["state"], "the history has no message from" in job["error"]) == ("failed", True)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"texts": {"x.yaml": "pack: x\nrules: 5"}}, "x.yaml:2"),
        ({"packs": ["/etc"]}, "packs: expected some of"),
        ({"from": "soon"}, "expected RFC 3339"),
        ({"form": "30d"}, "Extra inputs"),
    ],
)
async def test_what_is_wrong_with_a_request_is_told(api, asked, told):
    answer = await api.post("/api/v1/backtests", json=asked)
    assert (answer.status_code, told in answer.json()["detail"]) == (422, True), answer.text


async def test_it_is_for_engineers_of_all_tenants(api):
    assert (await api.get("/api/v1/backtests/B-0")).status_code == 404
    api.callers.who = Principal("victor", {"acme": Role.ADMIN})
    for ask in (api.post("/api/v1/backtests", json={}), api.get("/api/v1/backtests/B-0")):
        assert (await ask).status_code == 403

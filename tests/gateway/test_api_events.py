import asyncio
import json
from contextlib import ExitStack, asynccontextmanager

import httpx
import pytest
import uvicorn
from browser.console_courses import SERVER, WASHER
from browser.site import open_site
from callers import PEOPLE, KeptTrail, Named, as_

from gateway.api.feed import Feed
from gateway.api.masking import mask


@pytest.fixture
def site(tmp_path):
    with ExitStack() as stack:
        yield open_site(tmp_path, stack)


@asynccontextmanager
async def served(app):
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 10)


async def lines_until(lines, wanted):
    """Read lines until one begins with `wanted`."""
    async with asyncio.timeout(10):
        async for line in lines:
            if line.startswith(wanted):
                return line
    raise AssertionError(f"the stream ended before {wanted!r}")


async def test_changes_are_followed_as_server_sent_events(site):
    case = site.ledger.cases(device=str(SERVER)).items[0]
    order = site.ledger.order(case.order_id)
    async with served(site.app()) as base, httpx.AsyncClient() as client:
        async with client.stream("GET", f"{base}/api/v1/events") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            lines = response.aiter_lines()
            await lines_until(lines, ": following")
            await following(site.feed)
            await asyncio.to_thread(site.feed.case_changed, case)  # from another thread, as commits are
            await lines_until(lines, "event: case")
            told = json.loads((await lines_until(lines, "data: ")).removeprefix("data: "))
            site.feed.order_changed(order)
            await lines_until(lines, "event: order")
            ordered = json.loads((await lines_until(lines, "data: ")).removeprefix("data: "))
        site.feed.close()
    assert (told["case_id"], told["class"]) == (case.case_id, "server")
    assert ordered == order.document()


async def test_open_streams_do_not_hold_up_the_end(site):
    async with (
        served(site.app()) as base,
        httpx.AsyncClient() as client,
        client.stream("GET", f"{base}/api/v1/events") as response,
    ):
        lines = response.aiter_lines()
        await lines_until(lines, ": following")
        await following(site.feed)
        site.feed.close()
        async with asyncio.timeout(5):
            assert [line async for line in lines if line.startswith("event")] == []


async def following(feed: Feed) -> None:
    await until(lambda: feed.readers > 0)


async def until(condition) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about in ten seconds")


async def test_a_slow_reader_loses_the_oldest_and_is_told(site):
    case = site.ledger.cases(device=str(SERVER)).items[0]
    feed = Feed(backlog=3)
    changes = feed.subscribe()
    first = asyncio.create_task(anext(changes))
    await following(feed)
    for number in range(10):
        feed.case_changed(case.model_copy(update={"case_id": f"c{number}"}))
    got = [await first, *[await anext(changes) for _ in range(3)]]
    assert got[0][:2] == ("lagged", {"missed": 7})
    assert [change.document["case_id"] for change in got[1:]] == ["c7", "c8", "c9"]
    await changes.aclose()
    assert feed.readers == 0


async def heard(feed, number, caller=None, after=None):
    changes = feed.subscribe(caller, after=after)
    async with asyncio.timeout(10):
        got = [await anext(changes) for _ in range(number)]
    await changes.aclose()
    return got


def numbered(site, feed, *numbers):
    case = site.ledger.cases(device=str(SERVER)).items[0]
    for number in numbers:
        feed.case_changed(case.model_copy(update={"case_id": f"c{number}"}))


async def test_who_comes_back_goes_on_without_a_gap_and_is_told_where_there_is_one(site):
    feed = Feed(kept=4)
    begin = feed.here()
    numbered(site, feed, 1, 2, 3)
    first = await heard(feed, 1, after=begin)
    assert first[0].document["case_id"] == "c1"
    rest = await heard(feed, 2, after=first[0].id)
    assert [change.document["case_id"] for change in rest] == ["c2", "c3"]
    numbered(site, feed, 4, 5)
    still = await heard(feed, 4, after=first[0].id)  # the oldest that is kept is the next one
    assert [change.document["case_id"] for change in still] == ["c2", "c3", "c4", "c5"]
    gone = await heard(feed, 5, after=begin)
    assert gone[0].document == {"missed": None}
    assert [change.document["case_id"] for change in gone[1:]] == ["c2", "c3", "c4", "c5"]
    for other in (Feed().here(), "nonsense", f"{begin[:-1]}99", ""):
        assert (await heard(feed, 1, after=other))[0].event == "lagged"


async def test_who_follows_hears_of_their_tenants_and_sees_what_they_may(site):
    site.feed.case_changed(site.ledger.cases(device=str(WASHER)).items[0])
    order = site.ledger.order(site.ledger.cases(device=str(SERVER)).items[0].order_id)
    begin, trail = site.feed.here(), KeptTrail()
    site.feed.case_changed(site.ledger.cases(device=str(WASHER)).items[0])
    site.feed.order_changed(order)
    [seen] = await heard(site.feed, 1, PEOPLE["viewer"], after=begin)
    assert seen.document["customer"]["owner"] == mask(order.customer.owner)
    async with served(site.app(callers=Named(), trail=trail)) as base, httpx.AsyncClient() as client:
        who = as_("engineer") | {"Last-Event-ID": begin}
        async with client.stream("GET", f"{base}/api/v1/events", headers=who) as response:
            lines = response.aiter_lines()
            await lines_until(lines, "event: order")
            told = json.loads((await lines_until(lines, "data: ")).removeprefix("data: "))
            assert (await lines_until(lines, "id: ")) == f"id: {site.feed.here()}"
        site.feed.close()
    assert told == order.document()
    assert trail.looks == [("engineer", "order.look", "order:*", "acme")]


async def test_a_reader_to_whom_nothing_happened_yet_knows_where_it_stands(site):
    async with served(site.app()) as base, httpx.AsyncClient() as client:
        async with client.stream("GET", f"{base}/api/v1/events") as response:
            assert await lines_until(response.aiter_lines(), "id: ") == f"id: {site.feed.here()}"
        site.feed.close()

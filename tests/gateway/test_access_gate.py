"""The gate and what lasts behind it: sockets of pages, streams, and whose page is whose."""

import asyncio
from contextlib import ExitStack

import pytest
from access_site import BASE, open_house
from httpx import ASGITransport, AsyncClient
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from gateway.access.secrets import key_of
from gateway.api.callers import Identify, caller_of
from gateway.api.gate import Gate
from gateway.errors import StoreUnavailableError

SOCKET = "/_nicegui_ws/socket.io/"


@pytest.fixture
def house(tmp_path):
    with ExitStack() as stack:
        yield open_house(tmp_path, stack)


def unavailable(_asked):
    raise StoreUnavailableError("the disk is full")


class Socket:
    """A WebSocket to an application that echoes nothing and waits."""

    def __init__(self, house, cookie=None, query=b""):
        self._told: asyncio.Queue = asyncio.Queue()
        self.sent: asyncio.Queue = asyncio.Queue()
        self._told.put_nowait({"type": "websocket.connect"})
        headers = [(b"host", b"10.0.0.1"), *([(b"cookie", f"forewarn={cookie}".encode())] if cookie else [])]
        scope = {
            "type": "websocket", "path": SOCKET, "raw_path": SOCKET.encode(), "query_string": query,
            "headers": headers, "client": ("10.0.0.9", 1), "server": ("10.0.0.1", 80), "scheme": "ws",
            "state": {},
        }  # fmt: skip

        async def application(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass

        app = Identify(Gate(application), callers=house.access)
        self.task = asyncio.create_task(app(scope, self._told.get, self.sent.put))

    async def next(self):
        return await asyncio.wait_for(self.sent.get(), 30)

    async def leave(self):
        self._told.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self.task, 30)


async def test_a_socket_of_nobody_is_not_opened(house):
    house.account()
    for cookie in (None, "x" * 43):
        assert await Socket(house, cookie).next() == {
            "type": "websocket.close", "code": 4401, "reason": "log in again"
        }  # fmt: skip


async def test_a_socket_ends_with_its_login_and_not_before(house):
    house.account()
    ada, eve = await house.logged_in(), await house.logged_in()
    ended, stays = (Socket(house, client.cookies["forewarn"]) for client in (ada, eve))
    assert (await ended.next())["type"] == (await stays.next())["type"] == "websocket.accept"
    await ada.post("/api/v1/logout")
    assert (await ended.next())["code"] == 4401
    assert stays.sent.empty()
    await stays.leave()
    await asyncio.wait_for(ended.task, 30)


async def test_a_page_is_its_opener_s_alone(house):
    house.account("ada")
    house.account("eve", {"acme": "viewer"})
    ada, eve = await house.logged_in("ada"), await house.logged_in("eve")
    secret = ada.cookies["forewarn"]
    owner = house.access._judged(await house.access._find(key_of(secret)), "")
    house.access.page_owner = {"page-of-ada": owner}.get
    for path in (f"{SOCKET}?client_id=page-of-ada&transport=polling",):
        assert (await eve.get(path)).status_code == 403
        assert (
            await ada.get(path)
        ).status_code == 404  # no page is mounted here, but the gate let it through
    refused = Socket(house, eve.cookies["forewarn"], b"client_id=page-of-ada")
    assert (await refused.next())["type"] == "websocket.close"


async def test_nothing_is_shown_that_the_trail_cannot_take(house, monkeypatch):
    house.account("ada")
    looks = [("order:SO-1", "acme")]

    async def show(scope, receive, send):
        await asyncio.to_thread(house.access.trail.looked, caller_of(Request(scope)), "order.look", looks)
        await PlainTextResponse("Erika Mustermann")(scope, receive, send)

    client = await house.logged_in()
    app = Identify(Gate(show), callers=house.access)
    transport = ASGITransport(app)
    async with AsyncClient(transport=transport, base_url=BASE, cookies=dict(client.cookies)) as reader:
        assert (await reader.get("/api/v1/orders/SO-1")).text == "Erika Mustermann"
        assert house.trail()[-1] == ("ada", "order.look", "order:SO-1", "acme")
        looks[0] = ("order:SO-2", "acme")
        monkeypatch.setattr(house.people, "record", unavailable)
        with pytest.raises(StoreUnavailableError):
            await reader.get("/api/v1/orders/SO-2")


async def test_whoever_cannot_be_known_now_is_told_to_come_again(house, monkeypatch):
    house.account("ada")
    client = await house.logged_in()
    monkeypatch.setattr(house.people, "session_of", unavailable)
    house.access.forget()
    answer = await client.get("/api/v1/cases")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")

from contextlib import ExitStack

import pytest
from browser.site import open_site


@pytest.fixture
def site(tmp_path):
    with ExitStack() as stack:
        yield open_site(tmp_path, stack, seeded=False)


async def status(site, headers, **listen):
    async with site.client(site.app(**listen)) as client:
        return (await client.get("/api/v1/cases", headers=headers)).status_code


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost", "localhost:9999", "[::1]:8080", "127.0.0.2", "demo.localhost"]
)
async def test_names_of_this_machine_are_answered(site, host):
    assert await status(site, {"host": host}) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", "10.0.0.7", "", "[::1"]
)
async def test_a_rebound_name_is_refused_on_loopback(site, host):
    assert await status(site, {"host": host}) == 421


async def test_the_public_name_of_a_proxy_is_answered(site):
    headers = {"host": "desk.example"}
    assert await status(site, headers, console_url="https://desk.example/forewarn") == 200


async def test_beyond_loopback_any_name_is_answered(site):
    assert await status(site, {"host": "gateway:8080"}, listen_host="0.0.0.0") == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null", "http://["])
async def test_a_foreign_origin_is_refused(site, origin):
    assert await status(site, {"host": "127.0.0.1:8080", "origin": origin}) == 403


async def test_the_own_origin_is_taken(site):
    assert await status(site, {"host": "127.0.0.1:8080", "origin": "http://127.0.0.1:8080"}) == 200


async def test_a_foreign_websocket_is_closed(site):
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "websocket", "path": "/_nicegui_ws/socket.io/", "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8080"), (b"origin", b"http://evil.example")],
    }  # fmt: skip
    await site.app()(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize("path", ["/api/v1/cases", "/metrics", "/api/v1/none"])
async def test_every_answer_carries_the_security_headers(site, path):
    async with site.client() as client:
        headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"

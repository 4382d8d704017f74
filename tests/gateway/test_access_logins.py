"""Logins, tokens and the door of this machine, as they look from outside."""

from contextlib import ExitStack

import pytest
from access_site import BASE, PASSWORD, open_house

from gateway.access.access import OpenDoor
from gateway.access.accounts import COMMAND_LINE
from gateway.access.principal import Scope

MINUTE = 60_000
HOUR = 60 * MINUTE
CASES = "/api/v1/cases"


@pytest.fixture
def opened(tmp_path):
    """Open a house with other settings than the usual ones."""
    with ExitStack() as stack:
        yield lambda **changes: open_house(tmp_path, stack, **changes)


@pytest.fixture
def house(opened):
    return opened()


async def status(client, path=CASES, **headers):
    return (await client.get(path, headers=headers)).status_code


async def test_while_there_is_no_account_this_machine_is_the_engineer(house):
    async with house.client() as client:
        me = (await client.get("/api/v1/me")).json()
        assert (me["name"], me["kind"], me["grants"]) == ("engineer", "built-in", {"*": "engineer"})
        house.account()
        house.access.forget()
        refused = await client.get(CASES)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers",
    [{"x-forwarded-for": "127.0.0.1"}, {"forwarded": "for=10.0.0.1"}, {"via": "1.1 proxy"}],
)
async def test_who_comes_by_a_proxy_is_not_of_this_machine(house, headers):
    async with house.client() as client:
        refused = await client.get(CASES, headers=headers)
    assert refused.status_code == 401
    assert "forewarn accounts add" in refused.json()["detail"]


async def test_strangers_are_told_how_the_first_account_is_made(opened):
    house = opened(listen_host="0.0.0.0")
    for peer in ("10.0.0.9", "127.0.0.1"):
        async with house.client(peer) as client:
            refused = await client.get(CASES)
            assert refused.status_code == 401
            assert "forewarn accounts add" in refused.json()["detail"]
            assert await status(client, "/healthz") == await status(client, "/metrics") == 200


async def test_a_public_address_closes_the_door_and_a_demo_keeps_it_open(opened):
    behind_proxy = opened(door=OpenDoor.of("127.0.0.1", "https://forewarn.example"))
    async with behind_proxy.client() as client:
        assert await status(client) == 401
    demo = opened(door=OpenDoor.of("127.0.0.1", None, always=True))
    demo.account()
    async with demo.client() as client:
        assert await status(client) == 200


async def test_a_login_lasts_until_it_ends(house):
    house.account()
    client = await house.logged_in()
    assert await status(client) == 200
    assert (await client.get("/api/v1/me")).json()["kind"] == "login"
    assert (await client.post("/api/v1/logout")).status_code == 204
    client.cookies.set("forewarn", "x" * 43)
    assert await status(client) == 401


async def test_what_is_over_is_nobody(house):
    house.account()
    client = await house.logged_in()
    secret = client.cookies["forewarn"]
    for _ in range(20):  # used now and then it goes on, until it is too old
        house.move(7 * HOUR)
        assert await status(client) == 200
        await house.access.note_uses()
    house.move(7 * 24 * HOUR - 20 * 7 * HOUR)
    assert await status(client) == 401

    idle = await house.logged_in()
    assert idle.cookies["forewarn"] != secret
    house.move(8 * HOUR)
    assert await status(idle) == 401
    await house.access.prune()
    assert house.people.sessions_of(house.people.account_named("ada").account_id) == []


async def test_who_is_disabled_or_gone_is_nobody_at_once(house):
    house.account()
    house.account("eve", {"acme": "engineer"})
    eve = await house.logged_in("eve")
    _, secret = house.desk.accounts.make_token(
        house.people.account_named("eve").principal(), "script", frozenset({Scope.READ}), lives=HOUR
    )
    async with house.client(authorization=f"Bearer {secret}") as script:
        assert await status(eve) == await status(script) == 200
        house.desk.accounts.disable(COMMAND_LINE, "eve")
        assert await status(eve) == await status(script) == 401
        house.desk.accounts.disable(COMMAND_LINE, "eve", disabled=False)
        assert (await status(eve), await status(script)) == (401, 200)
        house.desk.accounts.remove(COMMAND_LINE, "eve")
        assert await status(script) == 401


async def test_a_login_s_id_changes_and_the_browser_s_old_one_ends(house):
    house.account()
    client = await house.logged_in()
    first = client.cookies["forewarn"]
    await client.post("/api/v1/login", json={"name": "ada", "password": PASSWORD})
    assert client.cookies["forewarn"] != first
    async with house.client() as other:
        other.cookies.set("forewarn", first)
        assert await status(other) == 401


@pytest.mark.parametrize("secure", [False, True])
async def test_the_cookie_is_out_of_reach(opened, secure):
    house = opened(secure=secure)
    house.account()
    async with house.client() as client:
        answer = await client.post("/api/v1/login", json={"name": "ada", "password": PASSWORD})
    name, *flags = answer.headers["set-cookie"].split("; ")
    assert name.startswith("__Host-forewarn=" if secure else "forewarn=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(flags)
    assert ("Secure" in flags) == secure
    assert not any(flag.startswith("Domain") for flag in flags)


async def test_secrets_are_kept_nowhere(house, tmp_path, capsys):
    account = house.account()
    client = await house.logged_in()
    _, token = house.desk.accounts.make_token(
        account.principal(), "script", frozenset({Scope.READ}), lives=HOUR
    )
    made = house.desk.accounts.make(COMMAND_LINE, "eve", grants={"acme": "viewer"})
    await client.post("/api/v1/login", json={"name": "ada", "password": "not the password"})
    secrets = [PASSWORD, client.cookies["forewarn"], token, made.temporary, "not the password"]
    house.people.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*"))
    logged = capsys.readouterr()
    for secret in secrets:
        assert secret.encode() not in kept
        assert secret not in logged.out + logged.err
    assert token[:10].encode() in kept


MEANT = [
    ({}, 403),
    ({"x-csrf-token": "wrong"}, 403),
    ({"x-csrf-token": "right"}, 200),
    ({"sec-fetch-site": "same-origin"}, 200),
    ({"sec-fetch-site": "cross-site"}, 403),
    ({"sec-fetch-site": "cross-site", "x-csrf-token": "right"}, 403),
    ({"sec-fetch-site": "same-site"}, 403),
    ({"origin": BASE}, 200),
    ({"origin": "http://evil.example"}, 403),
    ({"origin": BASE, "x-csrf-token": "wrong"}, 403),
]


async def test_a_change_with_a_cookie_has_to_be_meant(house):
    house.account()
    client = await house.logged_in()
    right = client.headers.pop("x-csrf-token")
    for headers, expected in MEANT:
        sent = {key: right if value == "right" else value for key, value in headers.items()}
        answer = await client.patch("/api/v1/me", json={"language": "de"}, headers=sent)
        assert answer.status_code == expected, headers


async def test_a_wrong_password_and_a_name_that_nobody_has_look_alike(house):
    house.account()
    async with house.client() as client:
        answers = [
            await client.post("/api/v1/login", json={"name": name, "password": "quite another one"})
            for name in ("ada", "nobody")
        ]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()


async def test_who_fails_too_often_waits_longer_each_time(house):
    house.account()

    async def attempt(password, name="ada", peer="10.0.0.1"):
        house_client = house.client(peer)
        async with house_client as client:
            return await client.post("/api/v1/login", json={"name": name, "password": password})

    waits = []
    for _ in range(house.settings.login_attempts + 3):
        assert (await attempt("wrong")).status_code == 401
        waited = await attempt(PASSWORD, peer="10.0.0.2") if waits or _ >= 4 else None
        if waited is not None:
            assert waited.status_code == 429
            waits.append(int(waited.headers["retry-after"]))
            house.seconds += waits[-1]
    assert waits == [1, 2, 4, 8]
    assert (await attempt(PASSWORD)).status_code == 200
    value = house.site.events.registry.get_sample_value("forewarn_requests_limited_total", {"what": "login"})
    assert value == len(waits)


async def test_an_address_that_tries_many_names_waits_too(opened):
    house = opened(settings={"login_attempts": 2})
    house.account()
    async with house.client("10.0.0.1") as client:
        for number in range(house.settings.login_attempts * 4):
            answer = await client.post("/api/v1/login", json={"name": f"n{number}", "password": "x"})
            assert answer.status_code == 401
        answer = await client.post("/api/v1/login", json={"name": "ada", "password": PASSWORD})
        assert answer.status_code == 429
    client = await house.logged_in(peer="10.0.0.2")
    assert await status(client) == 200


async def test_a_token_is_good_for_its_scopes_and_its_holder_s_roles(house):
    account = house.account("eve", {"acme": "admin"})
    accounts = house.desk.accounts
    _, reads = accounts.make_token(account.principal(), "reads", frozenset({Scope.READ}), lives=HOUR)
    _, administers = accounts.make_token(
        account.principal(), "administers", frozenset({Scope.ADMIN, Scope.READ}), lives=HOUR
    )
    async with house.client(authorization=f"Bearer {reads}") as client:
        assert await status(client) == 200
        assert await status(client, "/api/v1/accounts") == 403
        assert (await client.post("/api/v1/cases/C-1/acknowledge", json={})).status_code == 403
        assert (await client.get("/cases")).status_code == 401
        assert (await client.post("/api/v1/me/tokens", json={})).status_code == 403
    async with house.client(authorization=f"Bearer {administers}") as client:
        assert await status(client, "/api/v1/accounts") == 200
        accounts.grant(COMMAND_LINE, "eve", {"acme": "viewer"})
        assert await status(client, "/api/v1/accounts") == 403
        assert (await client.get("/api/v1/me")).json()["grants"] == {"acme": "viewer"}
        house.move(HOUR)
        assert await status(client, "/api/v1/me") == 401


async def test_a_token_is_no_cookie_and_a_cookie_no_token(house):
    account = house.account()
    _, token = house.desk.accounts.make_token(account.principal(), "x", frozenset({Scope.READ}), lives=HOUR)
    client = await house.logged_in()
    cookie = client.cookies["forewarn"]
    async with house.client(authorization=f"Bearer {cookie}") as wrong:
        assert await status(wrong) == 401
    async with house.client() as wrong:
        wrong.cookies.set("forewarn", token)
        assert await status(wrong) == 401


async def test_tokens_are_made_shown_once_and_revoked(house):
    house.account()
    client = await house.logged_in()
    made = await client.post(
        "/api/v1/me/tokens", json={"name": "reports", "scopes": ["read"], "expires": "90d"}
    )
    assert made.status_code == 201
    secret = made.json()["secret"]
    (listed,) = (await client.get("/api/v1/me/tokens")).json()["items"]
    assert "secret" not in listed
    assert secret.startswith(listed["start"])
    async with house.client(authorization=f"Bearer {secret}") as script:
        assert await status(script) == 200
        assert (await client.delete(f"/api/v1/me/tokens/{listed['token_id']}")).status_code == 204
        assert await status(script) == 401
    assert [what for _, what, _, _ in house.trail()] == [
        "account.make", "login", "token.make", "token.revoke"
    ]  # fmt: skip


async def test_a_temporary_password_is_good_for_choosing_another(house):
    house.account()
    temporary = house.desk.accounts.make(COMMAND_LINE, "eve", grants={"acme": "viewer"}).temporary
    eve = await house.logged_in("eve", temporary)
    other = await house.logged_in("eve", temporary)
    assert await status(eve) == 403
    short = await eve.put("/api/v1/me/password", json={"present": temporary, "new": "short"})
    assert short.status_code == 422
    changed = await eve.put("/api/v1/me/password", json={"present": temporary, "new": PASSWORD})
    assert changed.status_code == 204
    assert await status(eve) == 200
    assert await status(other) == 401
    late = house.desk.accounts.set_password(COMMAND_LINE, "eve").temporary
    house.move(3 * 24 * HOUR)
    async with house.client() as client:
        answer = await client.post("/api/v1/login", json={"name": "eve", "password": late})
    assert answer.status_code == 401


async def test_messages_by_http_take_a_token_for_their_tenant(opened):
    house = opened(settings={"ingest_rate": 1, "ingest_burst": 3})
    account = house.account("plant", {"acme": "engineer"})
    principal = account.principal()
    _, sends = house.desk.accounts.make_token(principal, "s", frozenset({Scope.INGEST}), lives=HOUR)
    _, reads = house.desk.accounts.make_token(principal, "r", frozenset({Scope.READ}), lives=HOUR)
    own = "/api/v1/ingest/forewarn?tenant=acme&class=pc&device=pc-1"
    client = await house.logged_in("plant")
    assert (await client.post(own, json={})).status_code == 403
    async with house.client(authorization=f"Bearer {reads}") as reader:
        assert (await reader.post(own, json={})).status_code == 403
    async with house.client(authorization=f"Bearer {sends}") as sender:
        assert (await sender.post(own.replace("acme", "other"), json={})).status_code == 403
        assert await status(sender) == 403
        # Nothing takes messages in here, so who is let through hears 503.
        answers = [(await sender.post(own, json={})) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [503, 503, 503, 429]
        assert answers[-1].headers["retry-after"] == "1"
        house.move(1000)
        assert (await sender.post(own, json={})).status_code == 503


async def test_the_address_behind_a_trusted_proxy_is_the_one_that_counts(opened):
    house = opened(settings={"trusted_proxies": ["10.0.0.0/24"]})
    house.account()

    async def address(peer, forwarded):
        async with house.client(peer) as client:
            client.headers["x-forwarded-for"] = forwarded
            await client.post("/api/v1/login", json={"name": "ada", "password": PASSWORD})
        return house.people.trail(limit=1).items[0].address

    assert await address("10.0.0.1", "6.6.6.6, 203.0.113.7, 10.0.0.2") == "203.0.113.7"
    assert await address("192.0.2.1", "203.0.113.7") == "192.0.2.1"
    assert await address("10.0.0.1", "nonsense") == "10.0.0.1"

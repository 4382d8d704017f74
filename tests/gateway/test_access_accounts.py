"""Who may see to which account, and what is written down of it."""

from contextlib import ExitStack

import pytest
from access_site import NOW, PASSWORD, open_house
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.accounts import COMMAND_LINE, _check_may_grant
from gateway.access.errors import NotAllowedError, NotThereError
from gateway.access.limits import Buckets, Pauses
from gateway.access.principal import Principal, Role
from gateway.access.records import Deed
from gateway.api.rights import needs
from gateway.errors import StoreUnavailableError, UserError

DAY = 86_400_000


@pytest.fixture
def house(tmp_path):
    with ExitStack() as stack:
        yield open_house(tmp_path, stack)


@pytest.fixture
def accounts(house):
    return house.desk.accounts


def principal(house, name):
    return house.people.account_named(name).principal()


def test_the_first_account_is_admin_of_all(house, accounts):
    with pytest.raises(UserError, match="first account"):
        accounts.make(COMMAND_LINE, "eve", grants={"acme": "admin"})
    house.account("ada")
    with pytest.raises(UserError, match="already"):
        accounts.make(COMMAND_LINE, "Ada", grants={"acme": "admin"})


def test_the_last_admin_of_all_stays(house, accounts):
    house.account("ada")
    house.account("eve", {"acme": "admin"})
    for attempt in (
        lambda: accounts.grant(COMMAND_LINE, "ada", {"*": None}),
        lambda: accounts.grant(COMMAND_LINE, "ada", {"*": "engineer"}),
        lambda: accounts.disable(COMMAND_LINE, "ada"),
        lambda: accounts.remove(COMMAND_LINE, "ada"),
    ):
        with pytest.raises(UserError, match="last admin"):
            attempt()
    accounts.grant(COMMAND_LINE, "eve", {"*": "admin"})
    accounts.remove(COMMAND_LINE, "ada")
    with pytest.raises(UserError, match="last admin"):
        accounts.disable(COMMAND_LINE, "eve")


def test_an_admin_of_one_tenant_sees_to_it_alone(house, accounts):
    house.account("ada")
    house.account("eve", {"acme": "admin"})
    house.account("max", {"acme": "viewer", "other": "viewer"})
    house.account("zoe", {"other": "viewer"})
    eve = principal(house, "eve")
    assert [(a.name, dict(a.grants)) for a in accounts.listed(eve).items] == [
        ("eve", {"acme": "admin"}), ("max", {"acme": "viewer"})
    ]  # fmt: skip
    accounts.grant(eve, "max", {"acme": "engineer"})
    assert house.people.account_named("max").grants == {"acme": "engineer", "other": "viewer"}
    made = accounts.make(eve, "kim", grants={"acme": "viewer"})
    assert made.temporary
    for attempt in (
        lambda: accounts.grant(eve, "max", {"other": None}),
        lambda: accounts.grant(eve, "eve", {"*": "admin"}),
        lambda: accounts.make(eve, "mallory", grants={"other": "viewer"}),
        lambda: accounts.make(eve, "mallory", grants={"*": "viewer"}),
        lambda: accounts.set_password(eve, "max"),
        lambda: accounts.disable(eve, "max"),
        lambda: accounts.remove(eve, "max"),
    ):
        with pytest.raises(NotAllowedError):
            attempt()
    for name in ("zoe", "ada", "nobody"):
        with pytest.raises(NotThereError):
            accounts.shown(eve, name)
    with pytest.raises(NotAllowedError):
        accounts.listed(principal(house, "max"))


ROLES = st.dictionaries(st.sampled_from(["*", "acme", "other"]), st.sampled_from(Role), max_size=3)


@given(mine=ROLES, before=ROLES, after=ROLES)
def test_nobody_gives_or_takes_more_than_is_theirs(mine, before, after):
    caller = Principal("eve", mine)
    changed = {t for t in {*before, *after} if before.get(t) != after.get(t)}
    may = all(Role.ADMIN in (mine.get(t), mine.get("*")) for t in changed)
    if may:
        _check_may_grant(caller, before, after)
    else:
        with pytest.raises(NotAllowedError):
            _check_may_grant(caller, before, after)


async def test_what_admins_do_is_written_down_for_those_whose_affair_it_is(house):
    house.account("ada")
    house.account("eve", {"acme": "admin"})
    client = await house.logged_in("ada")
    made = await client.post("/api/v1/accounts", json={"name": "Max", "grants": {"acme": "viewer"}})
    assert made.status_code == 201
    assert made.json()["temporary_password"]
    changed = await client.patch("/api/v1/accounts/max", json={"grants": {"acme": "engineer"}})
    assert changed.json()["grants"] == {"acme": "engineer"}
    await client.delete("/api/v1/accounts/max")
    assert (await client.get("/api/v1/accounts/max")).status_code == 404
    deeds = (await client.get("/api/v1/audit", params={"object": "account:max"})).json()["items"]
    assert [deed["what"] for deed in deeds] == ["account.remove", "account.grant", "account.make"]
    assert deeds[1]["detail"] == {"grants": {"before": {"acme": "viewer"}, "after": {"acme": "engineer"}}}
    assert {(deed["who"], deed["address"]) for deed in deeds} == {("ada", "127.0.0.1")}
    eve = await house.logged_in("eve")
    seen = (await eve.get("/api/v1/audit")).json()["items"]
    assert {deed["tenant"] for deed in seen} == {"acme"}
    house.account("max", {"acme": "engineer"})
    engineer = await house.logged_in("max")
    assert (await engineer.get("/api/v1/audit")).status_code == 403
    assert (await engineer.get("/api/v1/accounts")).status_code == 403


async def test_every_change_leaves_a_trace_whatever_route_it_takes(house):
    house.account("ada")
    client = await house.logged_in("ada")
    house.app.add_api_route(
        "/api/v1/rooms/{room}/paint", lambda: {}, methods=["POST"], dependencies=[needs(Role.ENGINEER)]
    )
    house.app.router.routes.insert(0, house.app.router.routes.pop())
    assert (await client.post("/api/v1/rooms/R-1/paint")).status_code == 200
    assert (await client.post("/api/v1/cases/C-1/acknowledge", json={})).status_code >= 400
    assert house.trail(who="ada")[1:] == [("ada", "rooms.paint", "rooms:R-1", "*")]


async def test_a_change_that_the_trail_cannot_take_is_made_and_told_of(house, monkeypatch):
    def unavailable(_deeds):
        raise StoreUnavailableError("the disk is full")

    house.account("ada")
    client = await house.logged_in("ada")
    house.app.add_api_route(
        "/api/v1/rooms/{room}/paint", lambda: {}, methods=["POST"], dependencies=[needs(Role.ENGINEER)]
    )
    house.app.router.routes.insert(0, house.app.router.routes.pop())
    monkeypatch.setattr(house.people, "record", unavailable)
    assert (await client.post("/api/v1/rooms/R-1/paint")).status_code == 200
    assert house.access.events.registry.get_sample_value("forewarn_audit_lost_total") == 1


def test_the_trail_is_paged_filtered_and_let_go_when_old(house):
    deeds = [Deed(NOW + day * DAY, "ada", None, "look", f"order:SO-{day}", "acme", "") for day in range(10)]
    house.people.record(deeds)
    first = house.people.trail(limit=4)
    rest = house.people.trail(limit=100, cursor=first.next)
    assert [d.target for d in first.items + rest.items] == [d.target for d in reversed(deeds)]
    span = house.people.trail(since=NOW + 2 * DAY, until=NOW + 4 * DAY, target="order:*")
    assert [d.target for d in span.items] == ["order:SO-3", "order:SO-2"]
    assert house.people.trail(tenants=frozenset({"other"})).items == []
    house.people.prune(now=NOW, idle=DAY, deeds_before=NOW + 8 * DAY)
    assert [d.target for d in house.people.trail().items] == ["order:SO-9", "order:SO-8"]


def test_a_page_that_asks_each_second_looks_once(house):
    eve = Principal("eve", {"acme": Role.ENGINEER}, account="A-1")
    looks = [("order:SO-1", "acme"), ("order:SO-2", "acme")]
    assert house.access.trail.looked(eve, "order.look", looks) == 2
    assert house.access.trail.looked(eve, "order.look", [*looks, ("order:SO-3", "acme")]) == 1
    house.move(10 * 60_000)
    assert house.access.trail.looked(eve, "order.look", looks) == 2
    assert len(house.trail()) == 5


@given(gaps=st.lists(st.floats(0, 5), max_size=60))
def test_a_bucket_lets_through_no_more_than_its_rate(gaps):
    now, passed = 0.0, []
    buckets = Buckets(rate=2.0, burst=5, now=lambda: now)
    for gap in gaps:
        now += gap
        if buckets.take("a") == 0:
            passed.append(now)
    for begin, since in enumerate(passed):
        for end in range(begin, len(passed)):
            assert end - begin + 1 <= 5 + 2.0 * (passed[end] - since) + 1e-6


def test_pauses_double_and_are_forgotten():
    now = 0.0
    pauses = Pauses(free=2, longest=60, now=lambda: now)
    seen = []
    for _ in range(10):
        pauses.attempt("ada")
        seen.append(pauses.wait("ada"))
        now += seen[-1]
    assert seen == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    now += 61
    pauses.attempt("ada")
    assert pauses.wait("ada") == 0


@pytest.mark.parametrize("password", ["short", "x" * 257, "aaaaaaaaaaaaaaaa", "my-name-is-ada-lovelace"])
def test_bad_passwords_are_refused(house, accounts, password):
    name = "lovelace"
    house.account("root")
    with pytest.raises(UserError, match="password"):
        accounts.make(COMMAND_LINE, name, grants={"acme": "viewer"}, password=password)
    assert accounts.make(COMMAND_LINE, name, grants={"acme": "viewer"}, password=PASSWORD)

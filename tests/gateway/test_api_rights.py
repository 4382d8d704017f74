"""Every route says what it needs, and no route gives away what is another tenant's: by real requests."""

import re
from contextlib import ExitStack

import pytest
from browser.console_courses import NOW, SERVER, WASHER
from browser.site import open_site
from callers import PEOPLE, Named, as_
from fastapi.routing import APIRoute

from diagnostics.silences import Silence, SilenceMatch
from gateway.access.principal import Role
from gateway.api.app import describe_app
from gateway.api.rights import Need, Open, api_routes, declared
from gateway.api.scope import ScopedRules
from gateway.ports import LedgerWrite
from gateway.registry_desk import RegistryDesk
from rules.times import DAY_MS

#: What stands for a parameter of a path that names no tenant's object. A new one of an object belongs into
#: `OBJECTS` of gateway/api/rights.py, and its samples into `names_of` and `NOBODYS` below.
OTHERS = {
    "codec": "forewarn", "rest": "nowhere", "table": "owners", "name": "nobody", "number": "1",
    "backtest_id": "B-none",
}  # fmt: skip

ROUTES = [
    (method, route)
    for route in api_routes(describe_app())
    for method in sorted(route.methods or ())
    if isinstance(declared(route), Need)
]
ids = [f"{method} {route.path}" for method, route in ROUTES]
TOUCHING = [(m, r) for m, r in ROUTES if set(r.param_convertors) - set(OTHERS)]
#: What is not there is made by it, so that it tells a name that is free from one that is not.
MAKING = {("PUT", "/api/v1/registry/{table}/{row_id:path}")}


def silence_of(tenant):
    match = SilenceMatch(device="*")
    return Silence(
        silence_id=f"S-{tenant}",
        tenant=tenant,
        match=match,
        starts=NOW,
        ends=NOW + DAY_MS,
        note="stocktaking",
        created_at=NOW,
        created_by="ada",
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with ExitStack() as stack:
        site = open_site(tmp_path_factory.mktemp("rights"), stack)
        site.ledger.commit(LedgerWrite(silences=[silence_of(tenant) for tenant in ("acme", "nordfrost")]))
        yield site


@pytest.fixture(scope="module")
def app(site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    registry = RegistryDesk(folder / "registry", folder / "registry.db")
    for device in (SERVER, WASHER):
        owner = f"owner-{device.tenant}"
        registry.put("owners", {"owner": owner, "name": f"Name of {owner}"})
        named = {"tenant": device.tenant, "class": device.device_class, "device": device.device}
        registry.put("devices", named | {"owner": owner})
    yield site.app(callers=Named(), registry_desk=registry)
    registry.close()


@pytest.fixture
async def ask(site, app):
    async with site.client(app) as client:

        async def asked(method, path, who=None, **more):
            return await client.request(method, path, headers=as_(who) if who else {}, **more)

        yield asked


def names_of(site, device):
    """Return names of what is there, by the parameters of paths."""
    case = next(c for c in site.ledger.cases().items if c.device == device.device)
    order = next((o for o in site.ledger.orders().items if o.tenant == device.tenant), None)
    owner = f"owner-{device.tenant}"
    about = {"case_id": case.case_id, "order_id": order.order_id, "row_id": owner, "owner": owner}
    about["silence_id"] = f"S-{device.tenant}"
    return {**device._asdict(), **about}


NOBODYS = {
    "tenant": "acme", "device_class": "server", "device": "none", "case_id": "C-none", "order_id": "SO-none",
    "silence_id": "S-none",
    "row_id": "owner-none", "owner": "owner-none",
}  # fmt: skip


def path_of(route: APIRoute, names):
    return re.sub(r"{(\w+)(?::\w+)?}", lambda name: (names | OTHERS)[name[1]], route.path)


def test_every_route_says_what_it_needs():
    silent = [route.path for route in api_routes(describe_app()) if declared(route) is None]
    assert silent == [], "dependencies=[needs(Role...)], or open_to_all(why)"
    open_ones = {route.path for route in api_routes(describe_app()) if isinstance(declared(route), Open)}
    assert open_ones == {
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/login",
        "/api/v1/answers/{target}",
        "/api/{rest:path}",
    }
    assert len(ROUTES) > 20


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=ids)
async def test_nobody_is_answered_with_401_and_who_has_no_role_with_403(ask, method, route):
    answer = await ask(method, path_of(route, NOBODYS), json={})
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await ask(method, path_of(route, NOBODYS), "nothing", json={})).status_code == 403


@pytest.mark.parametrize(("method", "route"), TOUCHING, ids=[f"{m} {r.path}" for m, r in TOUCHING])
async def test_what_is_another_tenant_s_is_not_there(ask, site, method, route):
    theirs, none = names_of(site, WASHER), NOBODYS | {"tenant": "nordfrost", "device_class": "appliance"}
    there = await ask(method, path_of(route, theirs), "admin", json={})
    assert there.status_code == 404, there.text
    nowhere = await ask(method, path_of(route, none), "admin", json={})
    if (method, route.path) not in MAKING:
        assert nowhere.status_code == 404
        assert same_words(there, nowhere, theirs, none)
    assert (await ask(method, path_of(route, theirs), "everywhere", json={})).status_code != 404


def same_words(there, nowhere, theirs, none):
    mine = {theirs[name]: none[name] for name in NOBODYS}
    told = there.json()
    for name, other in sorted(mine.items(), key=lambda pair: -len(pair[0])):
        told = {key: str(value).replace(str(name), str(other)) for key, value in told.items()}
    return told == {key: str(value) for key, value in nowhere.json().items()}


@pytest.mark.parametrize(("method", "route"), TOUCHING, ids=[f"{m} {r.path}" for m, r in TOUCHING])
async def test_who_may_look_and_not_act_is_told_so(ask, site, method, route):
    need = declared(route)
    own = names_of(site, SERVER)
    for who in ("viewer", "mixed"):  # of acme
        answer = await ask(method, path_of(route, own), who, json={})
        assert (answer.status_code == 403) == (need.role != Role.VIEWER), answer.text
        assert answer.status_code != 404


async def test_lists_hold_what_is_of_the_caller_s_tenants_and_their_pages_are_full(ask, site):
    for path in ("/devices", "/cases", "/orders"):
        found, cursor = [], None
        while True:
            query = {"limit": 2 if path != "/devices" else 90} | ({"cursor": cursor} if cursor else {})
            page = (await ask("GET", f"/api/v1{path}", "viewer", params=query)).json()
            found += page["items"]
            cursor = page["next"]
            assert len(page["items"]) == query["limit"] or cursor is None
            if cursor is None:
                break
        everything = (await ask("GET", f"/api/v1{path}?limit=1000", "everywhere")).json()["items"]
        assert {item["tenant"] for item in everything} == {"acme", "nordfrost"}
        key = {"/devices": "device", "/cases": "case_id", "/orders": "order_id"}[path]
        acme = [item[key] for item in everything if item["tenant"] == "acme"]
        assert [item[key] for item in found] == acme
    for path in ("/devices", "/cases", "/orders", "/quarantine"):
        answer = await ask("GET", f"/api/v1{path}?tenant=nordfrost", "admin")
        assert answer.json()["items"] == []


async def test_a_device_of_another_tenant_is_found_by_no_filter(ask):
    for filtered in (str(WASHER), WASHER.device):
        assert (await ask("GET", f"/api/v1/cases?device={filtered}", "admin")).json()["items"] == []
        assert (await ask("GET", f"/api/v1/cases?device={filtered}", "mixed")).json()["items"]


async def test_what_could_not_be_used_is_shown_to_those_whose_topic_it_names(ask):
    async def topics(who):
        return {row["topic"] for row in (await ask("GET", "/api/v1/quarantine", who)).json()["items"]}

    assert await topics("viewer") == {"fw/acme/toaster/t-1/telemetry"}
    assert len(await topics("watcher")) == 2
    assert await topics("stranger") == set()
    other = await ask("GET", "/api/v1/quarantine?tenant=nordfrost", "viewer")
    assert other.json()["items"] == []


async def test_a_token_is_good_for_its_scopes_at_most(ask, site):
    own = names_of(site, SERVER)
    comment = f"/api/v1/cases/{own['case_id']}/comment"
    ingest = "/api/v1/ingest/forewarn?tenant=acme&class=pc&device=p-1"
    expected = {
        ("GET", "/api/v1/orders"): {"reader", "engineer", "admin"},
        ("POST", comment): {"actor", "engineer", "admin"},
        ("POST", ingest): {"sender", "engineer", "admin"},
    }
    for (method, path), may in expected.items():
        for who in ("reader", "actor", "sender", "engineer", "admin"):
            answer = await ask(method, path, who, json={})
            assert (answer.status_code != 403) == (who in may), (path, who, answer.text)


async def test_messages_are_taken_for_the_tenants_of_the_sender_alone(ask):
    path = "/api/v1/ingest/forewarn?class=pc&device=p-1&tenant="
    assert (await ask("POST", f"{path}nordfrost", "sender", json={"a": 1})).status_code == 403
    assert (await ask("POST", path, "sender", json={"a": 1})).status_code == 403  # of `default`


async def test_rules_are_read_anew_by_engineers_of_all_tenants(ask):
    assert (await ask("POST", "/api/v1/rules/reload", "admin")).status_code == 403
    assert (await ask("POST", "/api/v1/rules/reload", "watcher")).status_code == 403
    assert (await ask("POST", "/api/v1/rules/reload", "everywhere")).status_code == 503  # none at work here


def test_the_people_of_these_tests_are_what_their_names_say():
    assert PEOPLE["admin"].tenants() == {"acme"}
    assert PEOPLE["everywhere"].tenants() is None


class _Rules:
    def rules(self):
        limits = [{"for_devices": {"tenant": ["nordfrost"]}, "limits": {"x": 1}}, {"for_devices": {}}]
        return [
            {"id": "all", "for_devices": {}, "overrides": limits},
            {"id": "ours", "for_devices": {"tenant": ["globex", "ac*"]}},
            {"id": "theirs", "for_devices": {"tenant": ["nordfrost"]}},
        ]


def test_rules_and_limits_for_other_tenants_alone_are_left_out():
    seen = ScopedRules(_Rules(), PEOPLE["viewer"]).rules()
    assert [rule["id"] for rule in seen] == ["all", "ours"]
    assert seen[0]["overrides"] == [{"for_devices": {}}]
    assert ScopedRules(_Rules(), PEOPLE["watcher"]).rules() == _Rules().rules()

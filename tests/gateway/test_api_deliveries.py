"""What became of events on their way out, by the API: listed, looked at, and dead letters sent again."""

from contextlib import ExitStack

import pytest
from answerworld import AnswerWorld, crm
from dispatching import target
from httpx import ASGITransport, AsyncClient

from gateway.access.principal import Principal, Role
from gateway.ports import Outcome, Ticket

NOW = 1_767_225_600_000


class Somebody:
    """Whoever the test says asks."""

    def __init__(self):
        self.caller = Principal("anna", {"*": Role.ENGINEER})

    async def identify(self, _connection):
        return self.caller


class Post:
    """Two targets and the events of three orders of two tenants; the first of each was refused by crm."""

    def __init__(self, tmp_path, stack):
        self.world = AnswerWorld(tmp_path, stack)
        self.somebody = Somebody()
        self.targets = (crm(), target("file", name="erp", folder=f"{tmp_path}/out"))
        self.world.use(*self.targets, callers=self.somebody)
        devices = ("acme/appliance/wm-1", "acme/appliance/wm-2", "bell/appliance/wm-3")
        self.orders = [self.world.leaks(device) for device in devices]
        self.world.use(*self.targets, callers=self.somebody)
        self.settle("crm", "dead", detail="answered 422: no such customer")
        self.settle("erp", "delivered")

    def settle(self, target, state, **more):
        outbox = self.world.outbox
        owed = outbox.due(NOW * 2, {target: 10}, [])
        outcomes = [Outcome(each, state, NOW, attempts=1, **more) for each in owed]
        outbox.settle(outcomes)

    async def ask(self, method, path, status=200, body=None, **parameters):
        transport = ASGITransport(self.world.app)
        async with AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:
            answer = await http.request(method, f"/api/v1{path}", json=body, params=parameters)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def get(self, path, **parameters):
        return await self.ask("GET", path, **parameters)

    async def listed(self, **parameters):
        return [each["order_id"] for each in (await self.get("/deliveries", **parameters))["items"]]


@pytest.fixture
def post(tmp_path):
    with ExitStack() as stack:
        yield Post(tmp_path, stack)


async def test_deliveries_are_listed_filtered_and_paged(post):
    first, second, third = post.orders
    assert await post.listed(state="dead") == [third, second, first]
    assert await post.listed(state="dead", order=second) == [second]
    assert await post.listed(target="erp") == [third, second, first]
    page = await post.get("/deliveries", state="dead", limit=2)
    rest = await post.get("/deliveries", state="dead", limit=2, cursor=page["next"])
    assert [each["order_id"] for each in rest["items"]] == [first]
    assert rest["next"] is None
    (letter,) = rest["items"]
    assert letter | {"number": 0, "created": ""} == {
        "number": 0,
        "target": "crm",
        "state": "dead",
        "event_id": f"{first}/com.forewarn.order.opened",
        "type": "com.forewarn.order.opened",
        "order_id": first,
        "tenant": "acme",
        "created": "",
        "changed": "2026-01-01T00:00:00Z",
        "attempts": 1,
        "due": None,
        "detail": "answered 422: no such customer",
        "behind": 0,
        "ticket": None,
        "ticket_state": None,
    }


async def test_an_order_has_its_trail(post):
    order_id = post.orders[0]
    trail = (await post.get(f"/orders/{order_id}/deliveries"))["items"]
    assert {(each["target"], each["state"]) for each in trail} == {("crm", "dead"), ("erp", "delivered")}
    queries = post.world.app.state.queries
    assert [each.owed.order_id for each in queries.deliveries_of(order_id)] == [order_id] * 2
    await post.ask("GET", "/orders/SO-nobody/deliveries", status=404)


async def test_one_is_looked_at_and_sent_again(post):
    number = (await post.get("/deliveries", state="dead"))["items"][0]["number"]
    letter = await post.get(f"/deliveries/{number}")
    assert letter["order"]["order_id"] == post.orders[2]
    again = await post.ask("POST", f"/deliveries/{number}/retry")
    assert (again["state"], again["attempts"]) == ("waiting", 0)
    refused = await post.ask("POST", f"/deliveries/{number}/retry", status=409)
    assert "is waiting: expected a dead letter" in refused["detail"]
    for path in ("/deliveries/99", "/deliveries/99/retry"):
        await post.ask("POST" if path.endswith("y") else "GET", path, status=404)


@pytest.mark.parametrize(
    ("body", "marked"),
    [({"all": True}, 3), ({"target": "crm"}, 3), ({"target": "erp"}, 0), ({"numbers": [1, 2, 3, 99]}, None)],
)
async def test_many_are_sent_again_at_once(post, body, marked):
    told = await post.ask("POST", "/deliveries/retry", body=body)
    if marked is None:
        dead = {each for each in (1, 2, 3) if each not in told["missing"]}
        assert told["marked"] == len(dead)
        assert 99 in told["missing"]
    else:
        assert told == {"marked": marked, "missing": []}
        assert len(await post.listed(state="dead")) == 3 - marked


async def test_those_of_one_order_are_sent_again(post):
    told = await post.ask("POST", "/deliveries/retry", body={"order": post.orders[1]})
    assert told["marked"] == 1
    assert await post.listed(state="waiting") == [post.orders[1]]


@pytest.mark.parametrize("body", [{}, {"numbers": []}, {"numbers": [1], "all": True}, {"numbers": [2**70]}])
async def test_which_ones_has_to_be_said(post, body):
    await post.ask("POST", "/deliveries/retry", body=body, status=422)
    assert len(await post.listed(state="dead")) == 3


async def test_another_tenant_s_are_not_there(post):
    number = (await post.get("/deliveries", state="dead", order=post.orders[0]))["items"][0]["number"]
    post.somebody.caller = Principal("bert", {"bell": Role.ENGINEER})
    assert await post.listed(state="dead") == [post.orders[2]]
    await post.ask("GET", f"/deliveries/{number}", status=404)
    await post.ask("POST", f"/deliveries/{number}/retry", status=404)
    told = await post.ask("POST", "/deliveries/retry", body={"numbers": [number]})
    assert told == {"marked": 0, "missing": [number]}
    assert (await post.ask("POST", "/deliveries/retry", body={"all": True}))["marked"] == 1


async def test_a_viewer_looks_and_does_nothing(post):
    number = (await post.get("/deliveries", state="dead"))["items"][0]["number"]
    post.somebody.caller = Principal("vera", {"*": Role.VIEWER})
    letter = await post.get(f"/deliveries/{number}")
    assert (letter["state"], letter["order"]) == ("dead", None)
    await post.ask("POST", f"/deliveries/{number}/retry", status=403)
    await post.ask("POST", "/deliveries/retry", body={"all": True}, status=403)
    post.somebody.caller = None
    await post.ask("GET", "/deliveries", status=401)


async def test_the_ticket_of_a_delivery_is_told(post):
    post.world.outbox.keep_ticket("erp", post.orders[0], Ticket("TT-1", "In Progress"), NOW)
    (delivery,) = (await post.get("/deliveries", target="erp", order=post.orders[0]))["items"]
    assert (delivery["ticket"], delivery["ticket_state"]) == ("TT-1", "In Progress")

"""Orders follow the tickets that real servers keep for them: what is changed there comes back, once."""

import asyncio
import json
from contextlib import ExitStack, asynccontextmanager
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from answerworld import AnswerWorld
from dispatching import target
from hypothesis import given
from hypothesis import strategies as st
from receivers import Receiver, Reply

from diagnostics.orders.model import OrderState
from gateway.clock import SystemClock
from gateway.dispatch.dispatcher import Dispatcher
from gateway.dispatch.readback import TicketReader
from gateway.dispatch.ticketstates import news_of, state_of_status


class TicketSystem:
    """A TMF621 server with entity tags; lists by id when it knows that filter, else gives all that it has."""

    def __init__(self, *, lists=True):
        self.tickets = {}
        self.patches = []
        self.asked = []
        self._versions = {}
        self.lists = lists

    def set(self, identity, **changes):
        """Somebody at the other side changes a ticket."""
        self.tickets[identity] |= changes
        self._versions[identity] = self._versions.get(identity, 0) + 1

    def ticket_of(self, order_id):
        """The id of an order's ticket."""
        return next(
            identity
            for identity, ticket in self.tickets.items()
            if ticket["externalIdentifier"][0]["id"] == order_id
        )

    def answer(self, request):
        parts = urlsplit(request.path)
        query = parse_qs(parts.query)
        identity = unquote(parts.path.partition("/troubleTicket/")[2])
        if request.method == "POST":
            identity = f"TT-{len(self.tickets) + 1}"
            self.tickets[identity] = {**request.document, "id": identity}
            self._versions[identity] = 0
            return self._said(201, self.tickets[identity])
        if request.method == "PATCH":
            self.patches.append(request.document)
            self.set(identity, **request.document)
            return self._said(200, self.tickets[identity])
        if "externalIdentifier.id" in query:
            return self._said(200, [])
        self.asked.append(request.path)
        if identity:
            found = self.tickets.get(identity)
            return self._said(404, {}) if found is None else self._tagged(request, found, [identity])
        names = query["id"][0].split(",") if self.lists else list(self.tickets)
        found = [self.tickets[name] for name in names if name in self.tickets]
        if not self.lists:
            found.append({"id": "TT-of-others", "status": "closed"})
        return self._tagged(request, found, names)

    def _tagged(self, request, document, names):
        tag = '"' + "-".join(str(self._versions.get(name)) for name in names) + '"'
        if request.headers.get("if-none-match") == tag:
            return Reply(304, {"ETag": tag})
        return self._said(200, document, ETag=tag)

    def _said(self, status, document, **headers):
        return Reply(status, {"Content-Type": "application/json", **headers}, json.dumps(document).encode())


class Desk:
    """A ticket system, orders in it, and a gateway that writes and reads there."""

    def __init__(self, world, system, receiver, **keys):
        self.world, self.system = world, system
        self.target = target(
            "tmf621", name="desk", url=f"http://127.0.0.1:{receiver.port}", poll="1s", **keys
        )
        world.use(self.target)

    @asynccontextmanager
    async def at_work(self):
        """Read and write as quickly as can be, for as long as the block lasts."""
        common = {"clock": SystemClock(), "events": self.world.events}
        dispatcher = Dispatcher(self.world.outbox, [self.target], first_pause=0.01, **common)
        reader = TicketReader(
            self.target, self.world.outbox, self.world.answering, first_pause=0.01, **common
        )
        object.__setattr__(self.target, "poll", 0.02)
        tasks = [asyncio.create_task(dispatcher.run()), asyncio.create_task(reader.run())]

        async def until(condition):
            async with asyncio.timeout(60):
                while not condition():
                    for task in tasks:
                        assert not task.done(), task.exception()
                    await asyncio.sleep(0.01)

        try:
            yield until
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def settled(self):
        """Whether nothing is on its way to the system."""
        deliveries = self.world.outbox.deliveries(limit=1000).items
        return bool(deliveries) and all(each.state == "delivered" for each in deliveries)

    def read(self, result):
        return self.world.events.registry.get_sample_value(
            "forewarn_tickets_read_total", {"target": "desk", "result": result}
        )


@pytest.fixture(params=[True, False], ids=["lists", "singles"])
def desk(tmp_path, request):
    system = TicketSystem(lists=request.param)
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver(then=system.answer))
        yield Desk(AnswerWorld(tmp_path, stack), system, receiver)


def doors(desk, order_id):
    return [(c.who, str(c.after), c.why) for c in desk.world.changes(order_id) if c.before != c.after]


async def test_an_order_follows_its_ticket_to_the_end(desk):
    world, system = desk.world, desk.system
    first, other = world.leaks("acme/appliance/wm-1"), world.leaks("acme/appliance/wm-2")
    async with desk.at_work() as until:
        await until(lambda: len(system.tickets) == 2 and desk.settled())
        one, two = system.ticket_of(first), system.ticket_of(other)
        system.set(one, status="In Progress", statusChangeReason="on my way")
        await until(lambda: world.order(first).state == "inProgress" and desk.settled())
        system.set(one, status="resolved", statusChangeReason="")
        await until(lambda: world.order(first).state == "resolved" and desk.settled())
        system.set(one, status="closed", note=[{"text": "hose replaced", "date": "2026-01-02"}])
        await until(lambda: world.order(first).state == "closed" and desk.settled())
        system.set(two, status="rejected", statusChangeReason="not our area")
        await until(lambda: world.order(other).state == "rejected" and desk.settled())
    assert doors(desk, first) == [
        ("desk", "inProgress", "on my way"),
        ("desk", "resolved", "desk said resolved."),
        ("desk", "closed", "hose replaced"),
    ]
    assert world.changes(first)[-1].outcome == "repaired", "which they had said by resolved"
    assert doors(desk, other) == [("desk", "rejected", "not our area")]
    assert not [patch for patch in system.patches if "status" in patch], "their own word is not sent back"
    assert desk.read("failed") == 0


async def test_what_has_not_changed_is_not_sent_again(desk):
    desk.world.leaks("acme/appliance/wm-1")
    desk.world.leaks("acme/appliance/wm-2")
    async with desk.at_work() as until:
        await until(lambda: len(desk.system.tickets) == 2 and desk.settled())
        before = desk.read("unchanged")
        await until(lambda: desk.read("unchanged") >= before + 6)
    assert desk.read("read") <= 4
    lists = [path for path in desk.system.asked if "id=" in path]
    singles = [path for path in desk.system.asked if "id=" not in path]
    assert len(singles) <= 2 if desk.system.lists else len(lists) == 1
    assert desk.world.instructed == 0


async def test_what_the_gateway_writes_does_not_come_back_as_their_word(desk):
    world, system = desk.world, desk.system
    order_id = world.leaks()
    async with desk.at_work() as until:
        await until(lambda: system.tickets and desk.settled())
        system.set("TT-1", status="inProgress")
        await until(lambda: world.order(order_id).state == "inProgress" and desk.settled())
        world.story.told("state", who="anna", state="held")
        world.site.ledger.commit(world.story.written)
        await until(lambda: system.tickets["TT-1"]["status"] == "held" and desk.settled())
        reads = desk.read("read") + desk.read("unchanged")
        await until(lambda: desk.read("read") + desk.read("unchanged") >= reads + 3)
        assert world.order(order_id).state == "held"
        system.set("TT-1", status="inProgress")  # as it was before, and yet news
        await until(lambda: world.order(order_id).state == "inProgress")
    assert [who for who, _, _ in doors(desk, order_id)] == ["desk", "anna", "desk"]


async def test_what_cannot_be_followed_is_said_once_and_left_alone(desk):
    world, system = desk.world, desk.system
    order_id = world.leaks()
    async with desk.at_work() as until:
        await until(lambda: system.tickets and desk.settled())
        system.set("TT-1", status="waiting for parts")
        await until(lambda: desk.read("unknown") == 1)
        system.set("TT-1", status="inProgress")
        await until(lambda: world.order(order_id).state == "inProgress" and desk.settled())
        system.set("TT-1", status="rejected")  # no door leads there from inProgress
        await until(lambda: world.counted("refused", "desk") == 1)
        reads = desk.read("read") + desk.read("unchanged")
        await until(lambda: desk.read("read") + desk.read("unchanged") >= reads + 3)
        assert world.order(order_id).state == "inProgress"
        del system.tickets["TT-1"]
        await until(lambda: desk.read("gone") == 1)
    assert (desk.read("unknown"), world.counted("refused", "desk")) == (1, 1)


async def test_news_waits_for_a_gateway_that_is_not_at_work(desk):
    world, system = desk.world, desk.system
    order_id = world.leaks()
    async with desk.at_work() as until:
        await until(lambda: system.tickets and desk.settled())
        world.ending = True
        system.set("TT-1", status="acknowledged")
        await until(lambda: desk.read("failed") >= 2)
        world.ending = False
        await until(lambda: world.order(order_id).state == "acknowledged")
    assert len(world.changes(order_id)) == 1


async def test_a_system_that_is_away_is_tried_again(tmp_path):
    system = TicketSystem()
    with ExitStack() as stack:
        failing = [True]

        def answer(request):
            reads = request.method == "GET" and system.tickets
            return Reply(503) if failing and reads else system.answer(request)

        receiver = stack.enter_context(Receiver(then=answer))
        desk = Desk(AnswerWorld(tmp_path, stack), system, receiver)
        order_id = desk.world.leaks()
        async with desk.at_work() as until:
            await until(lambda: desk.read("failed") >= 2)
            failing.clear()
            system.set("TT-1", status="acknowledged")
            await until(lambda: desk.world.order(order_id).state == "acknowledged")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        *((state.value, state) for state in OrderState),
        ("IN_PROGRESS", OrderState.IN_PROGRESS),
        ("Canceled", OrderState.CANCELLED),
        ("done", None),
    ],
)
def test_a_status_means_a_state_however_it_is_written(status, state):
    assert state_of_status(status) == state


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


NAMED = st.dictionaries(st.sampled_from(["id", "owner", "text", "date", "name", "value"]), JSON)
FIELDS = ("status", "id", "note", "externalIdentifier", "troubleTicketCharacteristic", "statusChangeReason")


@given(st.fixed_dictionaries({}, optional={name: JSON | st.lists(NAMED) for name in FIELDS}))
def test_any_ticket_gives_news_or_none_that_can_be_kept(ticket):
    news = news_of(ticket)
    if news is not None:
        for text in (news.status, news.why, news.ticket_id or "", news.order_id or ""):
            assert text.encode("utf-8").decode().isprintable() or not text

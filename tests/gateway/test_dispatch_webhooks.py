"""Webhooks to real receivers: signed, at least once, in order, and given up only for good."""

import asyncio
import json
import socket
import sqlite3
from collections import defaultdict

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from dispatching import CLOSED, OLD_SECRET, OPENED, SECRET, Office, target
from hypothesis import given, settings
from hypothesis import strategies as st
from receivers import DROP, GOOD, HANG, Receiver, Reply
from servers import free_port
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.config import DispatchTable
from gateway.dispatch.targets import Target


@pytest.fixture
def office(tmp_path):
    office = Office(tmp_path)
    yield office
    office.close()


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


def types(receiver):
    return [request.document["type"] for request in receiver.requests]


async def test_an_order_arrives_as_a_signed_cloud_event(office, receiver):
    crm = target(url=receiver.url, secret=[SECRET, OLD_SECRET], headers={"X-Desk": "7"})
    office.know(crm)
    office.open(1)
    await office.delivered(crm, number=1)
    (request,) = receiver.requests
    assert (request.method, request.headers["x-desk"]) == ("POST", "7")
    for secret in (SECRET, OLD_SECRET):  # whichever the receiver has
        Webhook(secret).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.body + b" ", request.headers)
    event = from_structured_event(HTTPMessage(request.headers, request.body))
    assert event.get_type() == OPENED
    assert event.get_subject() == "SO-1"
    assert event.get_id() == request.id
    assert event.get_source() == "/forewarn/acme"
    assert event.get_data() == json.loads(office.order(1).model_dump_json(by_alias=True))
    assert "." not in request.id, "full stops separate what is signed"
    assert office.count("delivered") == 1


@pytest.mark.parametrize(
    "first",
    [Reply(500), Reply(408), Reply(425), DROP, HANG],
    ids=["500", "408", "425", "drops", "hangs"],
)
async def test_what_fails_comes_again_with_the_same_id(office, first):
    with Receiver(first) as receiver:
        crm = target(url=receiver.url, timeout="1s")
        office.know(crm)
        office.open(1)
        await office.delivered(crm, number=1)
    one, again = receiver.requests
    assert one.id == again.id
    assert one.document == again.document
    assert (office.count("retry"), office.count("delivered")) == (1, 1)


async def test_a_later_event_of_an_order_waits_for_the_earlier_one(office):
    with Receiver(Reply(503), Reply(503), Reply(503)) as receiver:
        crm = target(url=receiver.url)
        office.know(crm)
        office.open(1)
        office.end(1)
        await office.delivered(crm, number=2)
    assert types(receiver) == [OPENED] * 4 + [CLOSED]
    opened, closed = receiver.requests[-2:]
    assert opened.document["sequence"] < closed.document["sequence"]
    assert closed.document["data"]["state"] == "closed"


async def test_an_order_that_does_not_get_through_holds_up_no_other(office):
    def only_even(request):
        return GOOD if int(request.document["subject"].removeprefix("SO-")) % 2 == 0 else Reply(500)

    with Receiver(then=only_even) as receiver:
        crm = target(url=receiver.url, attempts=1000, circuit=1000)
        office.know(crm)
        office.open(1, 2, 3, 4, 5, 6)
        office.end(2, 4, 6)
        await office.delivered(crm, number=6)
    assert {each.owed.order_id for each in office.stands("waiting")} == {"SO-1", "SO-3", "SO-5"}


async def test_a_refused_event_is_a_dead_letter_at_once_and_is_sent_when_asked(office):
    with Receiver(Reply(422, body=b"no such\x00 customer")) as receiver:
        crm = target(url=receiver.url)
        office.know(crm)
        office.open(1)
        async with office.dispatching(crm) as until:
            await until(lambda: office.stands("dead"))
            (letter,) = office.stands("dead")
            assert letter.detail == "answered 422: no such customer"
            assert (letter.owed.attempts, len(receiver.requests)) == (1, 1)
            assert office.outbox.retry(numbers=[letter.owed.number, 99]) == (1, [99])
            await until(lambda: office.stands("delivered"))
    assert receiver.requests[0].id == receiver.requests[1].id
    assert (office.count("dead"), office.count("delivered"), office.count("retry")) == (1, 1, 0)


async def test_an_event_is_given_up_after_its_attempts(office):
    with Receiver(then=lambda _: Reply(500)) as receiver:
        crm = target(url=receiver.url, attempts=3, circuit=2)
        office.know(crm)
        office.open(1)
        async with office.dispatching(crm) as until:
            await until(lambda: office.stands("dead"))
    assert len(receiver.requests) == 3
    assert office.stands("dead")[0].detail == "answered 500"


async def test_what_a_later_event_has_overtaken_is_not_sent_after_it(office):
    with Receiver(Reply(400)) as receiver:
        crm = target(url=receiver.url)
        office.know(crm)
        office.open(1)
        office.end(1)
        async with office.dispatching(crm) as until:
            await until(lambda: office.stands("delivered"))
            assert office.outbox.retry(target="crm") == (1, [])
            await until(lambda: office.stands("overtaken"))
    assert types(receiver) == [OPENED, CLOSED]


async def test_a_target_that_asks_to_be_left_alone_is(office):
    with Receiver(Reply(429, {"Retry-After": "3600"})) as receiver:
        crm = target(url=receiver.url, in_flight=1)
        office.know(crm)
        office.open(1, 2)
        async with office.dispatching(crm) as until:
            await until(lambda: office.count("retry") == 1)
            await until(lambda: any(each.owed.attempts for each in office.stands("waiting")))
            office.open(3)
            await until(lambda: len(office.stands("waiting")) == 3)
    assert len(receiver.requests) == 1
    held = max(office.stands("waiting"), key=lambda each: each.due)
    assert held.due - held.changed >= 3_600_000


async def test_a_target_that_is_away_is_probed_and_gets_all_when_it_is_back(office):
    port = free_port()
    crm = target(url=f"http://127.0.0.1:{port}/", circuit=2, attempts=1000)
    office.know(crm)
    office.open(*range(1, 21))
    async with office.dispatching(crm) as until:
        await until(lambda: office.count("retry") >= 12)
        with Receiver(port=port) as receiver:
            await until(lambda: len(office.stands("delivered")) == 20)
    assert len({request.id for request in receiver.requests}) == 20


async def test_redirects_are_not_followed(office, receiver):
    with Receiver(then=lambda _: Reply(307, {"Location": receiver.url})) as elsewhere:
        crm = target(url=elsewhere.url)
        office.know(crm)
        office.open(1)
        async with office.dispatching(crm) as until:
            await until(lambda: office.stands("waiting") and office.stands("waiting")[0].detail)
    assert not receiver.requests
    assert "redirect" in office.stands("waiting")[0].detail


async def test_nothing_leaves_for_a_private_address_that_is_not_allowed(office, receiver):
    table = {"name": "crm", "kind": "webhook", "url": f"http://localhost:{receiver.port}/", "secret": SECRET}
    crm = Target.of(DispatchTable.model_validate(table), str)  # a name that leads there, as any may
    office.know(crm)
    office.open(1)
    async with office.dispatching(crm) as until:
        await until(lambda: office.count("retry") >= 2)
    assert not receiver.requests
    assert "no public address" in office.stands("waiting")[0].detail


async def test_a_name_is_asked_for_once_and_what_was_checked_is_connected_to(office, receiver, monkeypatch):
    asked = []

    async def getaddrinfo(host, port, **_):
        """A name server that gives a good address to the check, and another to whoever asks again."""
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    crm = target(url=f"http://rebinding.example.com:{receiver.port}/")
    office.know(crm)
    office.open(1)
    await office.delivered(crm, number=1)
    assert asked == ["rebinding.example.com"]
    assert receiver.requests[0].headers["host"] == f"rebinding.example.com:{receiver.port}"


async def test_an_event_counts_as_delivered_when_no_target_waits_for_it(office):
    def when_delivered():
        with sqlite3.connect(office.url.removeprefix("sqlite:///")) as connection:
            return connection.execute("SELECT delivered FROM outbox").fetchone()[0]

    with Receiver() as good, Receiver(Reply(400)) as other:
        crm, erp = target(url=good.url), target(name="erp", url=other.url)
        office.know(crm, erp)
        office.open(1)
        async with office.dispatching(crm, erp) as until:
            await until(lambda: office.stands("delivered") and office.stands("dead"))
            assert when_delivered() is None
            office.outbox.retry()
            await until(lambda: len(office.stands("delivered")) == 2)
    assert when_delivered() >= office.stands()[0].owed.created


@pytest.mark.slow  # a statement waits 5 s for a lock
async def test_what_cannot_be_noted_yet_is_not_sent_again(office, receiver):
    crm = target(url=receiver.url)
    office.know(crm)
    office.open(1)
    office.know(crm)
    lock = sqlite3.connect(office.url.removeprefix("sqlite:///"), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    async with office.dispatching(crm) as until:
        await until(lambda: _outages(office) >= 1)
        assert not office.stands("delivered")
        lock.rollback()
        await until(lambda: office.stands("delivered"))
    lock.close()
    assert len(receiver.requests) == 1


def _outages(office):
    return office.events.registry.get_sample_value("forewarn_outages_total", {"what": "ledger"}) or 0


async def test_an_answer_without_end_is_cut_off(office):
    with Receiver(Reply(200, body=bytes(1_000_000))) as receiver:
        crm = target(url=receiver.url)
        office.know(crm)
        office.open(1)
        await office.delivered(crm, number=1)
    assert len(receiver.requests) == 2


async def test_each_target_gets_its_tenant_s_from_when_it_was_added(office, receiver):
    def named(name, tenant):
        return target(name=name, url=f"{receiver.url}/{name}", tenant=tenant)

    mine, other, late = named("mine", "acme"), named("other", "bell"), named("late", "*")
    office.know(mine, other)
    office.open(1)
    office.know(late)
    office.open(2)
    await office.delivered(mine, other, late, number=3)
    came = {(request.path, request.document["subject"]) for request in receiver.requests}
    assert came == {("/orders/mine", "SO-1"), ("/orders/mine", "SO-2"), ("/orders/late", "SO-2")}


async def test_a_paused_target_gets_all_later(office, receiver):
    crm = target(url=receiver.url)
    paused = target(url=receiver.url, paused=True)
    office.know(paused)
    office.open(1)
    async with office.dispatching(paused) as until:
        await until(lambda: office.stands("waiting"))
    assert not receiver.requests
    await office.delivered(crm, number=1)
    assert len(receiver.requests) == 1


async def test_what_was_under_way_at_the_end_is_sent_again_after_the_next_start(office):
    with Receiver(HANG) as receiver:
        crm = target(url=receiver.url, timeout="1h")
        office.know(crm)
        office.open(1)
        async with office.dispatching(crm) as until:
            await until(lambda: receiver.requests)
            office.open(2)
            await until(lambda: office.stands("delivered"))
        first, other = receiver.requests
        assert [first.document["subject"], other.document["subject"]] == ["SO-1", "SO-2"]
        await office.delivered(crm, number=2)
    assert receiver.requests[2].id == first.id


@settings(max_examples=8)
@given(
    replies=st.lists(st.sampled_from([GOOD, GOOD, Reply(500), Reply(429, {"Retry-After": "0"}), DROP])),
    numbers=st.lists(st.integers(1, 4), min_size=1, max_size=8, unique=True),
)
async def test_whatever_the_receiver_does_all_arrive_and_each_order_s_in_order(
    tmp_path_factory, replies, numbers
):
    office = Office(tmp_path_factory.mktemp("office"))
    try:
        with Receiver(*replies) as receiver:
            crm = target(url=receiver.url, attempts=1000, circuit=3, in_flight=3)
            office.know(crm)
            for number in numbers:
                office.open(number)
                office.end(number)
            await office.delivered(crm, number=2 * len(numbers))
    finally:
        office.close()
    by_order = defaultdict(list)
    for request in receiver.requests:
        by_order[request.document["subject"]].append(request.document["sequence"])
    assert by_order.keys() == {f"SO-{number}" for number in numbers}
    for sequence in by_order.values():
        assert sequence == sorted(sequence)
        assert len(set(sequence)) == 2

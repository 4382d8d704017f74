"""What is sent again is not done again; what has changed meanwhile is not acted on: requests over HTTP."""

import asyncio
from contextlib import ExitStack

import pytest
from api_world import Desk
from callers import PEOPLE
from httpx import ASGITransport, AsyncClient

from gateway.api.repeating import MOST_BYTES, Repeating
from gateway.clock import ManualClock
from gateway.ledger.answers import KEPT_MS


@pytest.fixture
def desk(tmp_path):
    with ExitStack() as stack:
        yield Desk(tmp_path, stack)


async def test_the_same_request_has_the_same_answer_and_is_done_once(desk):
    key = {"Idempotency_Key": "k-1"}
    first = await desk.ask("POST", f"{desk.order}/state", {"state": "held"}, **key)
    await desk.ask("POST", f"{desk.order}/state", {"state": "inProgress"})
    again = await desk.ask("POST", f"{desk.order}/state", {"state": "held"}, **key)
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["etag"] == first.headers["etag"]
    assert "idempotency-replayed" not in first.headers
    assert desk.told == 2
    assert (await desk.ask("GET", desk.order)).json()["state"] == "inProgress"


@pytest.mark.parametrize(
    ("path", "body", "who", "expected"),
    [
        ("/state", {"state": "held", "note": "now"}, "engineer", (422, 1)),  # another body
        ("/close", {"outcome": "repaired"}, "engineer", (422, 1)),  # another address
        ("/state", {"state": "held"}, "admin", (200, 2)),  # somebody else's key
    ],
)
async def test_a_key_is_one_request_of_one_caller(desk, path, body, who, expected):
    key = {"Idempotency_Key": "k-1"}
    await desk.ask("POST", f"{desk.order}/state", {"state": "held"}, **key)
    answer = await desk.ask("POST", f"{desk.order}{path}", body, who, **key)
    assert (answer.status_code, desk.told) == expected


async def test_what_was_refused_may_be_mended_under_its_key(desk):
    key = {"Idempotency_Key": "k-1"}
    assert (await desk.ask("POST", f"{desk.order}/state", {"state": "hold"}, **key)).status_code == 422
    assert (await desk.ask("POST", f"{desk.order}/state", {"state": "held"}, **key)).status_code == 200


async def test_without_the_kept_answer_the_instruction_s_name_still_tells_a_repetition(desk):
    """The gateway was killed between the act and its answer."""
    key = {"Idempotency_Key": "k-1"}
    await desk.ask("POST", f"{desk.order}/state", {"state": "held"}, **key)
    await desk.ask("POST", f"{desk.order}/state", {"state": "inProgress"})
    for other in range(3):  # the answer has gone
        await desk.ask("POST", f"{desk.case}/comment", {"note": f"{other}"}, Idempotency_Key=f"o-{other}")
    late = await desk.ask("POST", f"{desk.order}/state", {"state": "held"}, **key)
    assert (late.status_code, late.json()["state"], desk.told) == (200, "inProgress", 6)


async def test_two_at_once_are_one(desk):
    desk.going_on.clear()
    key = {"Idempotency_Key": "k-1"}
    body = {"state": "held"}
    both = {asyncio.create_task(desk.ask("POST", f"{desk.order}/state", body, **key)) for _ in range(2)}
    done, waiting = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    [refused] = [task.result() for task in done]
    assert (refused.status_code, refused.headers["retry-after"]) == (409, "1")
    desk.going_on.set()
    assert [(await task).status_code for task in waiting] == [200]
    assert desk.told == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_that_is_none(desk, key):
    answer = await desk.ask("POST", f"{desk.order}/state", {"state": "held"}, Idempotency_Key=key)
    assert answer.status_code == 422
    assert "Idempotency-Key: expected" in answer.json()["detail"]


async def test_answers_are_kept_for_a_day_and_large_ones_are_told_and_not_kept(desk):
    clock, calls = ManualClock(10 * KEPT_MS), []
    body = b"x" * 1000

    async def app(scope, receive, send):
        calls.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"!"})

    repeating = Repeating(app, answers=desk.answers, clock=clock, events=desk.site.events)

    async def posted(content, path="/api/v1/x"):
        async def named(scope, receive, send):
            scope["state"] = {"caller": PEOPLE["engineer"]}
            await repeating(scope, receive, send)

        transport = ASGITransport(named)
        async with AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:
            headers = {"Idempotency-Key": "k"}
            return await http.post(path, content=content, headers=headers)

    for _ in range(2):
        assert (await posted(b"a")).content == body + b"!"
    assert calls == [b"a"]
    clock.move_to(clock.now() + KEPT_MS)
    await posted(b"b")
    assert calls == [b"a", b"b"]
    clock.move_to(clock.now() + KEPT_MS)
    body = b"x" * (MOST_BYTES + 1)
    for _ in range(2):
        assert (await posted(b"c")).content == body + b"!"
    assert calls == [b"a", b"b", b"c", b"c"]
    body = b"a token that is shown once"
    for _ in range(2):
        await posted(b"d", "/api/v1/me/tokens")
    assert calls[4:] == [b"d", b"d"]


async def test_what_is_known_is_not_sent_again(desk):
    for path in (desk.order, desk.case):
        read = await desk.ask("GET", path)
        tag = read.headers["etag"]
        again = await desk.ask("GET", path, If_None_Match=f'"other", W/{tag}')
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert (await desk.ask("GET", path, who="viewer")).headers["etag"]
        assert (await desk.ask("GET", path, If_None_Match='"other"')).json() == read.json()


async def test_who_has_seen_another_state_does_not_act_on_it(desk):
    seen = (await desk.ask("GET", desk.order)).headers["etag"]
    held = await desk.ask("POST", f"{desk.order}/state", {"state": "held"}, If_Match=seen)
    assert held.status_code == 200
    assert held.headers["etag"] == (await desk.ask("GET", desk.order)).headers["etag"] != seen
    late = await desk.ask("POST", f"{desk.order}/close", {"outcome": "repaired"}, If_Match=seen)
    assert (late.status_code, late.headers["etag"]) == (412, held.headers["etag"])
    assert late.headers["content-type"] == "application/problem+json"
    assert desk.told == 1
    for good in (held.headers["etag"], "*"):
        answer = await desk.ask("POST", f"{desk.case}/comment", {"note": good}, If_Match="*")
        assert answer.status_code == 200


async def test_of_two_who_saw_the_same_the_first_acts(desk):
    seen = (await desk.ask("GET", desk.case)).headers["etag"]
    desk.going_on.clear()
    both = [
        asyncio.create_task(desk.ask("POST", f"{desk.case}/comment", {"note": note}, If_Match=seen))
        for note in "ab"
    ]
    desk.going_on.set()
    assert sorted([(await answer).status_code for answer in both]) == [200, 412]

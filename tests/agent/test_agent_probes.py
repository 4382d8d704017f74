"""Commands: what is run, what is refused, and what is answered how often."""

import asyncio
import json
import os

import pytest
import structlog
from agent_machine import grow
from hypothesis import given
from hypothesis import strategies as st

from gateway.agent import loadtest
from gateway.agent.loadtest import load_test
from gateway.agent.probes import WAITING, Answer, BadCommandError, Prober, read_command

NOW = 1_767_225_600_000


class Bench:
    """A prober whose one action ends when the test lets it."""

    def __init__(self):
        self.ran, self.replies = [], []
        self.go, self.said = asyncio.Event(), asyncio.Event()
        self.prober = Prober({"disk.self_test": self._act}, self._reply, lambda: NOW)

    def _reply(self, identifier, answer):
        self.replies.append((identifier, answer.state))
        self.said.set()

    async def _act(self, command):
        await self.go.wait()
        self.ran.append(command)
        if command.component == "broken":
            raise OSError("no more processes")
        return Answer("passed", {})

    def ask(self, identifier="a", action="disk.self_test", **more):
        self.prober.take(json.dumps({"id": identifier, "action": action, **more}).encode())

    async def all_done(self, count):
        self.go.set()
        running = asyncio.create_task(self.prober.run())
        async with asyncio.timeout(30):
            while len(self.replies) < count:
                self.said.clear()
                await self.said.wait()
        running.cancel()


async def test_a_command_is_answered_at_once_and_at_its_end():
    bench = Bench()
    bench.ask(component="sda", args={"x": 1}, expires=NOW + 1)
    assert bench.replies == [("a", "running")]
    await bench.all_done(2)
    assert bench.replies == [("a", "running"), ("a", "passed")]
    assert (bench.ran[0].component, bench.ran[0].args) == ("sda", {"x": 1})


async def test_a_command_that_comes_twice_is_run_once_and_answered_twice():
    bench = Bench()
    bench.ask()
    bench.ask()
    await bench.all_done(3)
    bench.ask()
    assert bench.replies == [("a", "running"), ("a", "running"), ("a", "passed"), ("a", "passed")]
    assert len(bench.ran) == 1


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({"expires": NOW - 1}, "error"),
        ({"expires": "2026-01-01T00:00:00.001Z"}, "running"),
        ({"expires": None}, "running"),
        ({"expires": [1]}, "error"),
        ({"expires": "soon"}, "error"),
        ({"action": "rm -rf /"}, "unsupported"),
        ({"action": 7}, "error"),
        ({"component": ["sda"]}, "error"),
        ({"args": "x"}, "error"),
    ],
)
async def test_what_is_not_run_is_answered_with_why(more, state):
    bench = Bench()
    bench.ask(**more)
    assert bench.replies == [("a", state)]
    assert bench.prober._waiting.qsize() == (state == "running")


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"{}", b'{"id": 7}', b'{"id": ""}', b"[" * 100_000])
async def test_what_is_no_command_is_logged_and_not_answered(payload):
    bench = Bench()
    with structlog.testing.capture_logs() as logs:
        bench.prober.take(payload)
    assert bench.replies == []
    assert [line["event"] for line in logs] == ["command_refused"]


@pytest.mark.slow
@given(st.binary(max_size=300) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "action", "component", "args", "expires"]), inner, max_size=5),
).map(lambda document: json.dumps(document).encode()))  # fmt: skip
def test_any_bytes_are_a_command_or_are_not(payload):
    try:
        command = read_command(payload)
    except BadCommandError:
        return
    assert command.id
    assert isinstance(command.component, str)


async def test_no_more_wait_than_there_is_room_for():
    bench = Bench()
    for number in range(WAITING + 1):
        bench.ask(str(number))
    assert bench.replies[-1] == (str(WAITING), "error")
    assert {state for _, state in bench.replies[:-1]} == {"running"}


async def test_a_test_that_breaks_off_is_an_error_and_the_next_one_is_run():
    bench = Bench()
    bench.ask("a", component="broken")
    bench.ask("b")
    await bench.all_done(4)
    assert bench.replies[2:] == [("a", "error"), ("b", "passed")]


# -- the load test ----------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path):
    """A processor at 61 °C that may have 100, and that was throttled once."""
    grow(tmp_path / "devices/system/cpu/cpu0/thermal_throttle", {"core_throttle_count": 1})
    return grow(
        tmp_path,
        {
            "class/hwmon/hwmon0/name": "coretemp",
            "class/hwmon/hwmon0/temp1_label": "Package id 0",
            "class/hwmon/hwmon0/temp1_input": 61_000,
            "class/hwmon/hwmon0/temp1_crit": 100_000,
        },
    )


async def test_a_cool_machine_passes_with_its_numbers(machine):
    answer = await load_test({"seconds": 1}, sys=machine, cores=1)
    assert answer.state == "passed"
    assert 0 < answer.result.pop("load") <= 100
    assert answer.result == {
        "seconds": 1,
        "max_temperature": 61.0,
        "critical_temperature": 100.0,
        "throttled_share": 0.0,
    }


async def test_the_load_is_real_and_ends_with_the_test(machine):
    before = os.times()
    await load_test({"seconds": 1}, sys=machine, cores=1)
    after = os.times()  # of children that have ended and were waited for
    assert after.children_user - before.children_user > 0.02


async def test_a_machine_that_gets_critically_hot_fails(machine):
    grow(machine, {"class/hwmon/hwmon0/temp1_input": 100_000})
    assert (await load_test({"seconds": 1}, sys=machine, cores=1)).state == "failed"


async def test_a_machine_that_is_throttled_for_long_fails(machine, monkeypatch):
    monkeypatch.setattr(loadtest, "_LOOK_SECONDS", 0.1)
    counter = machine / "devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"

    async def throttle():
        for count in range(2, 1_000):
            counter.with_suffix(".new").write_text(str(count))
            counter.with_suffix(".new").replace(counter)
            await asyncio.sleep(0.01)

    throttling = asyncio.create_task(throttle())
    answer = await load_test({"seconds": 1}, sys=machine, cores=1)
    throttling.cancel()
    assert answer.state == "failed"
    assert answer.result["throttled_share"] > 0.1


async def test_a_test_that_would_see_nothing_is_not_run(tmp_path):
    assert (await load_test({"seconds": 300}, sys=tmp_path)).state == "unsupported"


@pytest.mark.parametrize("seconds", [0, -1, 301, 1e9, float("nan"), True, "60", None, [1]])
async def test_a_load_is_bounded(machine, seconds):
    answer = await load_test({"seconds": seconds}, sys=machine)
    assert answer == ("error", {"reason": "args.seconds: expected a number from 1 to 300"})

import pytest
from simlab import KINDS, ORIGIN, build

from simulators.device import Command

NOW = ORIGIN + 600_000


@pytest.fixture
def server():
    device = build("server")
    device.step(NOW)
    return device


def test_a_probe_runs_at_once_and_takes_its_time(server):
    [reply] = server.answer(Command("c1", "disk.self_test", "sda"), NOW)
    assert reply == ("c1", "running", {})
    assert server.verdicts(NOW + 29_000) == []
    [verdict] = server.verdicts(NOW + 121_000)
    assert verdict.id == "c1"
    assert verdict.state == "passed"
    assert verdict.result["status"] == "completed without error"
    assert server.verdicts(NOW + 500_000) == []


@pytest.mark.parametrize("kind", KINDS)
def test_who_looks_only_when_something_is_due_gets_the_verdict_at_its_time(kind):
    device = build(kind)
    device.step(NOW)
    device.answer(Command("c1", next(iter(device.probes()))), NOW)
    verdicts, now = [], NOW
    while not verdicts:
        now = device.next_ms
        device.step(now)
        verdicts = device.verdicts(now)
    assert 30_000 <= now - NOW <= 120_000


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_device_cannot_do_it_says(kind):
    device = build(kind)
    [reply] = device.answer(Command("c1", "coffee.brew"), NOW)
    assert reply.state == "unsupported"
    assert "coffee.brew" in reply.result["reason"]
    assert device.verdicts(NOW + 600_000) == []


def test_a_part_that_is_not_there_is_an_error_that_names_those_that_are(server):
    server.answer(Command("c1", "disk.self_test", "sdz"), NOW)
    [verdict] = server.verdicts(NOW + 121_000)
    assert verdict.state == "error"
    assert "sda" in verdict.result["reason"]


def test_without_a_part_all_are_tested(server):
    server.answer(Command("c1", "memory.test"), NOW)
    [verdict] = server.verdicts(NOW + 121_000)
    assert verdict.state == "passed"
    assert set(verdict.result) == {"A1", "A2", "B1", "B2"}


def test_an_expired_command_is_not_run(server):
    [reply] = server.answer(Command("c1", "disk.self_test", "sda", expires_ms=NOW - 1), NOW)
    assert reply.state == "error"
    assert "expired" in reply.result["reason"]
    assert server.verdicts(NOW + 600_000) == []


def test_a_command_that_comes_twice_is_run_once(server):
    command = Command("c1", "disk.self_test", "sda")
    server.answer(command, NOW)
    assert server.answer(command, NOW + 5)[0].state == "running"
    assert len(server.verdicts(NOW + 121_000)) == 1
    assert server.answer(command, NOW + 130_000)[0].state == "passed"
    assert server.verdicts(NOW + 600_000) == []


def test_being_asked_does_not_change_what_is_measured():
    asked, left_alone = build("pc"), build("pc")
    asked.answer(Command("c1", "fan.test", "1"), ORIGIN)
    asked.verdicts(ORIGIN + 200_000)
    assert asked.step(NOW) == left_alone.step(NOW)


SUPPORTED = {
    "phone": {"battery.test", "charge.test", "thermal.test"},
    "pc": {"disk.self_test", "memory.test", "fan.test", "psu.test"},
    "server": {"disk.self_test", "memory.test", "fan.test", "psu.test", "raid.battery_test", "nic.test"},
    "washer": {"washer.drain_test", "washer.fill_test", "washer.heater_test", "washer.spin_test"},
    "fridge": {"fridge.fan_test", "fridge.cooling_test"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_healthy_device_passes_every_test_it_has(kind):
    device = build(kind)
    device.step(NOW)
    assert set(device.probes()) == SUPPORTED[kind]
    for action in device.probes():
        device.answer(Command(action, action), NOW)
    assert {reply.state for reply in device.verdicts(NOW + 121_000)} == {"passed"}

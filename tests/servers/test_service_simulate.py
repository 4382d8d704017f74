"""``forewarn simulate`` against a real broker and a real gateway."""

import contextlib
import re
import signal
import subprocess

import pytest
from gateways import FOREWARN, PATIENCE, gateway, now_ms, run_command
from servers import free_port, wait_until

from simulators.truth import read_truth

pytestmark = pytest.mark.server

DEVICES = 20


@contextlib.contextmanager
def simulated(folder, broker, *more):
    """A fleet in a process of its own; yields the process and the file that it prints to."""
    said = folder / "simulate.txt"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [FOREWARN, "simulate", "--broker", broker, "--devices", str(DEVICES), *more],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process, said
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(PATIENCE)


def states(running):
    return {f"{d['tenant']}/{d['class']}/{d['device']}": d["online"] for d in running.items("devices")}


def test_a_fast_fleet_is_taken_whole_by_a_gateway_on_the_wall_s_clock(tmp_path, mosquitto):
    truth = tmp_path / "truth.jsonl"
    with gateway(tmp_path / "gateway", mosquitto.url) as running:
        more = ("--speed", "60", "--for", "20s", "--seed", "3", "--truth", str(truth))
        with simulated(tmp_path, mosquitto.url, *more) as (process, said):
            assert process.wait(PATIENCE) == 0, said.read_text()
        ended = now_ms()
        wait_until(
            lambda: set(states(running).values()) == {False} and len(states(running)) == DEVICES,
            seconds=PATIENCE,
            every=0.2,
            what="all devices seen and gone",
        )
        assert running.items("quarantine") == []
        some = next(iter(states(running)))
        stamps = [ts for ts, *_ in running.readings(some)]
        assert max(stamps) <= ended
        assert max(stamps) - min(stamps) > 10 * 60_000  # twenty seconds, sixty times as fast
    faults = [entry for entry in read_truth(truth) if entry.kind == "fault"]
    begun = re.findall(r"^\S+  (\S+)(?: \S+)?: (\S+) begins$", said.read_text(), re.MULTILINE)
    assert begun == [(entry.device, entry.fault) for entry in faults]
    assert begun
    assert re.search(rf"^[\d,]+ messages, {len(faults)} faults begun; ", said.read_text(), re.MULTILINE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_all_devices_offline(tmp_path, mosquitto, number):
    with gateway(tmp_path / "gateway", mosquitto.url) as running, simulated(tmp_path, mosquitto.url) as fleet:
        process, said = fleet
        wait_until(
            lambda: list(states(running).values()) == [True] * DEVICES,
            seconds=PATIENCE,
            every=0.2,
            what="all devices online",
        )
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0, said.read_text()
        wait_until(
            lambda: list(states(running).values()) == [False] * DEVICES,
            seconds=PATIENCE,
            every=0.2,
            what="all devices offline",
        )


def test_a_broker_that_is_never_there_is_status_3(tmp_path):
    address = f"127.0.0.1:{free_port()}"
    ended = run_command("simulate", "--broker", f"mqtt://{address}", "--devices", "2", "--for", "2s")
    assert ended.returncode == 3
    assert f"{address}: no device was ever connected" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("--broker", "http://h"), 1, "--broker: expected mqtt://HOST:PORT"),
        (("--broker", "mqtt://h", "--speed", "60"), 2, "--for"),
        (("--broker", "mqtt://h", "--for", "soon"), 2, "--for"),
        (("--broker", "mqtt://h", "--truth", "/is/not/there"), 1, "/is/not/there"),
        ((), 2, "--broker"),
    ],
)
def test_what_is_wrong_is_explained(arguments, status, told):
    ended = run_command("simulate", *arguments)
    assert (ended.returncode, told in ended.stderr) == (status, True), ended.stderr

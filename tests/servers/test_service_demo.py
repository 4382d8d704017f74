"""The demo as whoever starts it sees it: its JSON, its end at any moment, and what it leaves behind."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from uuid import uuid4

import pytest
from gateways import FOREWARN, PATIENCE, crowded, json_lines, processes_naming
from servers import wait_until

from diagnostics.orders.model import ServiceOrder

pytestmark = pytest.mark.server


@contextlib.contextmanager
def a_demo(folder, *options, stdout=subprocess.PIPE):
    """Start a demo that keeps its temporary files in the folder; yield it with a word its processes carry."""
    mark = f"forewarn-test-{uuid4().hex}"
    with (folder / "stderr").open("wb") as errors:
        process = subprocess.Popen(
            [FOREWARN, "demo", "--json", "--port", "0", *options],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=errors,
            text=True,
            start_new_session=True,
            env=os.environ | {"TMPDIR": str(folder), "FOREWARN_TEST_MARK": mark},
        )
    try:
        yield process, mark
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def complaints(folder):
    """Return what was written to standard error; logs would be JSON and of no concern."""
    lines = (folder / "stderr").read_text().splitlines()
    return [line for line in lines if not line.startswith("{")]


def timed_lines(process, seconds):
    """Yield (seconds since the start, line) until the output ends."""
    begun = time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() - begun < seconds:
            if not selector.select(timeout=1):
                continue
            line = process.stdout.readline()
            if not line:
                return
            yield time.monotonic() - begun, line
    raise AssertionError(f"the demo did not end within {seconds} s")


def test_a_whole_demo(tmp_path):
    with a_demo(tmp_path, "--for", "75s", "--devices", "200", "--seed", "11") as (process, mark):
        told = list(timed_lines(process, 75 + PATIENCE))
        assert process.wait(PATIENCE) == 0
        wait_until(lambda: not processes_naming(mark), what="the end of all processes")
    events = [json.loads(line) for _, line in told]
    *opened, last = events
    assert [event["event"] for event in opened] == ["order"] * len(opened)
    assert last["event"] == "score"
    assert told[0][0] < 30 * crowded(), "the first order comes within 30 s"
    orders = [ServiceOrder.model_validate(event["order"]) for event in opened]
    assert len({order.order_id for order in orders}) == len(orders)
    assert set(opened[0]["order"]) == {
        *("order_id", "tenant", "state", "opened_at", "case_id", "reason", "device", "fault", "diagnosis"),
        *("customer", "site", "entitlement", "service", "parts", "logistics", "estimate", "missing", "links"),
        *("choices", "texts"),  # beyond the contract
    }
    assert set(last) == {"event", "injected", "ordered", "false_orders", "median_delay_s", "missed"}
    assert last["injected"] >= 10
    assert last["false_orders"] == 0
    assert last["ordered"] / last["injected"] >= 0.75
    assert last["ordered"] == len(orders)
    assert len(last["missed"]) == last["injected"] - last["ordered"]
    assert complaints(tmp_path) == []
    assert sorted(os.listdir(tmp_path)) == ["stderr"], "its folder went with it"


@pytest.mark.parametrize("after", [0.2, 0.5, 1, 2, 4, 8, "the first order"])
def test_ctrl_c_at_any_moment(tmp_path, after):
    with a_demo(tmp_path) as (process, mark):
        if after == "the first order":
            assert process.stdout.readline()
        else:
            time.sleep(after * crowded())
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
        took = time.monotonic() - begun
        assert process.returncode in (0, 128 + signal.SIGINT)
        wait_until(lambda: not processes_naming(mark), seconds=5 * crowded(), what="the end of all processes")
    assert took < 5 * crowded()
    assert complaints(tmp_path) == []
    assert all(event["event"] in ("order", "score") for event in json_lines(out))
    if after == "the first order":
        assert json_lines(out)[-1]["event"] == "score"


def test_impatience_costs_neither_the_score_nor_a_traceback(tmp_path):
    with a_demo(tmp_path) as (process, mark):
        assert process.stdout.readline()
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)  # as fingers do
        out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        wait_until(lambda: not processes_naming(mark), seconds=5 * crowded(), what="the end of all processes")
    assert json_lines(out)[-1]["event"] == "score"
    assert complaints(tmp_path) == []


def test_killed_it_takes_its_children_with_it_and_the_next_one_removes_its_folder(tmp_path):
    with a_demo(tmp_path) as (process, mark):
        # The demo, the broker and the fleet, these two with a keeper each.
        wait_until(lambda: len(processes_naming(mark)) == 5, seconds=PATIENCE, what="all processes")
        process.kill()
        process.wait()
        wait_until(lambda: not processes_naming(mark), seconds=10 * crowded(), what="their end")
    (left,) = tmp_path.glob("forewarn-demo-*")
    with a_demo(tmp_path) as (process, _):
        wait_until(lambda: not left.exists(), seconds=PATIENCE, what="the removal of the folder")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert list(tmp_path.glob("forewarn-demo-*")) == []


def test_whoever_stops_reading_ends_it(tmp_path):
    with a_demo(tmp_path, "--seed", "3") as (process, mark):
        process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        wait_until(lambda: process.poll() is not None, seconds=PATIENCE, what="its end")
        wait_until(
            lambda: not processes_naming(mark), seconds=10 * crowded(), what="the end of all processes"
        )
    assert complaints(tmp_path) == []

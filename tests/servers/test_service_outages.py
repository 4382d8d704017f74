"""Broker and stores go away and come back: it is said, tried again, and nothing is acknowledged unkept."""

import contextlib
import os
import sqlite3
import subprocess

import duckdb
import httpx
import pytest
from gateways import PATIENCE, Device, crowded, gateway, now_ms
from servers import free_port, start_mosquitto, wait_until

pytestmark = pytest.mark.server

MINUTE = 60_000


def outages(running, what):
    return [line for line in running.log("outage") if line["what"] == what]


def wait_outages(running, what, number):
    def enough():
        assert running.process.poll() is None, running.said()
        return len(outages(running, what)) >= number

    wait_until(enough, seconds=PATIENCE, what=f"{number} complaints about {what}")


def fail(device, begun):
    """A drive whose own verdict turns to failed: an order without any confirmation."""
    device.measure(begun, {"disk.smart_passed@sda": True, "power.active": 0.0})
    for number in range(1, 60):
        device.measure(
            begun + number * MINUTE, {"disk.smart_passed@sda": False, "power.active": float(number)}
        )
    device.wait_taken()


def assert_kept_once(running, device):
    """All readings of `fail` stand once, and its order does."""
    wait_until(
        lambda: (
            [value for _, signal, value in running.readings(device.name) if signal == "power.active"]
            == list(range(60))
        ),
        seconds=PATIENCE,
        what=f"all readings of {device.name}",
    )
    (order,) = wait_until(
        lambda: running.items("orders", device=device.name), seconds=PATIENCE, what=f"order of {device.name}"
    )
    assert order["fault"]["code"] == "disk.failing_now"


def test_the_broker_is_not_there_at_the_start(tmp_path):
    port = free_port()
    with gateway(tmp_path, f"mqtt://127.0.0.1:{port}", start=False) as running:
        running.start()
        wait_outages(running, "broker", 3)
        complaints = outages(running, "broker")
        assert f"mqtt://127.0.0.1:{port}" in complaints[0]["detail"]
        pauses = [complaint["retry_in_s"] for complaint in complaints]
        assert all(pause <= most for pause, most in zip(pauses, (1, 2, 4), strict=False)), pauses
        answer = running.get("/readyz")
        assert (answer.status_code, answer.json()["detail"].partition(":")[0]) == (
            503,
            "not subscribed at the broker",
        )
        assert running.get("/healthz").status_code == 200
        assert running.metric("forewarn_broker_connected") == 0
        broker = start_mosquitto(tmp_path / "mosquitto", port)
        try:
            running.wait_ready()
            assert running.log("restored")[-1]["what"] in ("broker", "broker_commands")
            with Device(broker.url, "acme/pc/p-1") as device:
                fail(device, now_ms() - 60 * MINUTE)
                assert_kept_once(running, device)
        finally:
            broker.kill()


def test_the_broker_goes_and_comes_back(tmp_path, mosquitto):
    with gateway(tmp_path, mosquitto.url) as running, Device(mosquitto.url, "acme/pc/p-1") as device:
        begun = now_ms() - 60 * MINUTE
        for number in range(30):
            device.measure(begun + number * MINUTE, {"power.active": float(number)})
        device.wait_taken()
        mosquitto.stop()
        wait_until(lambda: not running.ready(), seconds=PATIENCE, what="its notice")
        wait_outages(running, "broker", 1)
        for number in range(30, 60):  # they wait in the device
            device.measure(begun + number * MINUTE, {"power.active": float(number)})
        mosquitto.restart()
        device.wait_taken()
        running.wait_ready()
        wait_until(
            lambda: [reading[2] for reading in running.readings(device.name)] == list(range(60)),
            seconds=PATIENCE,
            what="all readings",
        )


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(disk)]
    mounted = subprocess.run(mounting, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip() or 'not root'}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@contextlib.contextmanager
def full(disk):
    """Fill a disk for as long as the block lasts."""
    room = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(room.f_bavail * room.f_frsize - 2_000_000))
    yield
    filler.unlink()


def test_the_disk_is_full_for_a_while(small_disk, mosquitto):
    with (
        gateway(small_disk, mosquitto.url) as running,
        Device(mosquitto.url, "acme/pc/p-1") as first,
        Device(mosquitto.url, "acme/pc/p-2") as second,
        Device(mosquitto.url, "acme/pc/p-3") as third,
    ):
        with full(small_disk):
            fail(first, now_ms() - 60 * MINUTE)
            wait_outages(running, "history", 2)
            assert "free on its disk" in outages(running, "history")[0]["detail"]
            assert running.settled() == 0
            assert running.metric("forewarn_readings_total") == 0
            assert running.readings(first.name) == []
        assert_kept_once(running, first)
        assert running.log("restored")[-1]["what"] == "history"

        # Its end comes while the disk is full: all of it still waits at the broker.
        for device, end in ((second, running.terminate), (third, running.kill)):
            told = len(outages(running, "history"))
            with full(small_disk):
                fail(device, now_ms() - 60 * MINUTE)
                wait_outages(running, "history", told + 1)
                end()
            running.start()
            running.wait_ready()
            assert_kept_once(running, device)
        assert len(running.orders()) == 3


@contextlib.contextmanager
def locked(path):
    """Hold the ledger's write lock for as long as the block lasts."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


def test_the_ledger_is_locked_for_a_while(tmp_path, mosquitto):
    with (
        gateway(tmp_path, mosquitto.url) as running,
        Device(mosquitto.url, "acme/pc/p-1") as first,
        Device(mosquitto.url, "acme/pc/p-2") as second,
        Device(mosquitto.url, "acme/pc/p-3") as third,
    ):
        ledger = running.data / "ledger.db"
        with locked(ledger):
            fail(first, now_ms() - 60 * MINUTE)
            wait_outages(running, "ledger", 1)
            assert "database is locked" in outages(running, "ledger")[0]["detail"]
            assert running.settled() == 0
            assert running.orders() == []
        assert_kept_once(running, first)
        assert running.log("restored")[-1]["what"] == "ledger"

        # Its end comes while the history has it and the ledger has not.
        for device, end in ((second, running.terminate), (third, running.kill)):
            with locked(ledger):
                before = running.settled()
                fail(device, now_ms() - 60 * MINUTE)
                told = len(outages(running, "ledger"))
                wait_outages(running, "ledger", told + 1)
                assert running.settled() == before
                end()
            running.start()
            running.wait_ready()
            assert_kept_once(running, device)
        assert len(running.orders()) == 3


def test_the_stores_are_taken_at_the_start(tmp_path, mosquitto, monkeypatch):
    port = free_port()
    monkeypatch.setenv("FOREWARN_HTTP__LISTEN", f"127.0.0.1:{port}")

    def ask(path):
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE)

    with gateway(tmp_path, mosquitto.url, start=False) as running:
        running.data.mkdir()
        history = duckdb.connect(str(running.data / "history.duckdb"))
        sqlite3.connect(running.data / "ledger.db").close()
        with locked(running.data / "ledger.db"):
            running.start()
            wait_outages(running, "history", 2)
            assert "in use by another process" in outages(running, "history")[0]["detail"]
            assert ask("/healthz").status_code == 200
            for path in ("/readyz", "/api/v1/orders", "/"):
                answer = ask(path)
                assert answer.status_code == 503
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["detail"].startswith("starting: the history cannot be opened: ")
                assert "in use by another process" in answer.json()["detail"]
            assert "forewarn_broker_connected 0.0" in ask("/metrics").text
            assert running.terminate() < 3 * crowded(), "its end is minded while it waits"
            running.start()
            wait_outages(running, "history", 4)
            history.close()
            (running.data / "history.duckdb").unlink()
            wait_outages(running, "ledger", 1)
            assert ask("/readyz").json()["detail"].startswith("starting: the ledger cannot be opened: ")
        running.wait_ready()
        assert [line["what"] for line in running.log("restored")] == ["history", "ledger"]
        assert ask("/readyz").text == "ready\n"
        assert ask("/orders").headers["content-type"].startswith("text/html")
        with Device(mosquitto.url, "acme/pc/p-1") as device:
            fail(device, now_ms() - 60 * MINUTE)
            assert_kept_once(running, device)

"""The same gateway, unchanged, on each broker that it is promised to work with: the real servers."""

import contextlib
import sqlite3

import pytest
from brokers import KINDS, broker
from gateways import PATIENCE, Device, gateway, now_ms
from servers import publish, wait_until

pytestmark = pytest.mark.server

MINUTE = 60_000
NAMES = [f"acme/server/srv-{number}" for number in range(3)]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@contextlib.contextmanager
def locked(path):
    """Hold the ledger's write lock for as long as the block lasts."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


def messages(begun, first, count):
    """Telemetry of all devices, in their order of time, numbers counted on from `first`."""
    return [
        (f"fw/{name}/telemetry", f'{{"ts": {begun + number * 1000}, "values": {{"power.active": {number}}}}}')
        for number in range(first, first + count)
        for name in NAMES
    ]


def wait_kept(running, count):
    """Wait until each device's numbers stand there, each once, whatever the order in which they came."""
    for name in NAMES:
        wait_until(
            lambda name=name: sorted(value for _, _, value in running.readings(name)) == list(range(count)),
            seconds=PATIENCE,
            every=0.1,
            what=f"{count} readings of {name}\n{running.said()[-2000:]}",
        )


def test_what_is_sent_while_it_runs_is_stopped_or_killed_arrives(tmp_path, kind):
    begun = now_ms() - 60 * MINUTE
    with broker(kind, tmp_path / kind) as server, gateway(tmp_path, server.url) as running:
        assert running.get("/readyz").text == "ready\n"
        publish(server.url, messages(begun, 0, 40))
        wait_kept(running, 40)
        running.wait_metric("forewarn_messages_processed_total", 120)

        running.terminate()
        publish(server.url, messages(begun, 40, 20))
        running.start()
        running.wait_ready()
        wait_kept(running, 60)

        # Nothing is acknowledged that is not kept: what it has read and could not commit comes again.
        with locked(running.data / "ledger.db"):
            first = (f"fw/{NAMES[0]}/telemetry", "of no use, so the ledger is to be written")
            publish(server.url, [first, *messages(begun, 60, 20)])
            wait_until(lambda: running.log("outage"), seconds=PATIENCE, what="its complaint")
            assert running.log("outage")[-1]["what"] == "ledger"
            running.kill()
        running.start()
        running.wait_ready()
        wait_kept(running, 80)


def test_a_command_reaches_the_device_and_its_reply_the_gateway(tmp_path, kind):
    with (
        broker(kind, tmp_path / kind) as server,
        gateway(tmp_path, server.url) as running,
        Device(server.url, "acme/server/srv-1", answer=lambda _: ("failed", {"output_v": 0.4})) as device,
    ):
        begun = now_ms() - 10 * MINUTE
        for minute, good in enumerate([True, False, False, False, False]):
            values = {"psu.ok@2": good, "psu.input_voltage@2": 230.0, "psu.redundant": True}
            device.measure(begun + minute * MINUTE, values)
        command = device.wait_command()
        assert (command["action"], command["component"]) == ("psu.test", "2")
        (order,) = wait_until(lambda: running.items("orders"), seconds=PATIENCE, what="the order")
        (probe,) = order["diagnosis"]["probes"]
        assert (order["fault"]["code"], probe["state"]) == ("psu.failed", "failed")

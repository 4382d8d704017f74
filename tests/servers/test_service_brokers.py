"""The same gateway, unchanged, on each broker that it is promised to work with: the real servers."""

import contextlib
import json
import sqlite3
import subprocess

import pytest
from brokers import DYNAMIC_SECURITY, KINDS, broker
from gateways import PATIENCE, Device, gateway, now_ms, run_command, write_config
from servers import publish, start_mosquitto, wait_until

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
        running.wait_settled(120)

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


def forbidding(folder):
    """Return what makes a mosquitto refuse every subscription: nobody was given a role that allows one."""
    if not DYNAMIC_SECURITY.exists():
        pytest.skip("mosquitto's dynamic security is not installed")
    file = folder / "security.json"
    subprocess.run(["mosquitto_ctrl", "dynsec", "init", file, "admin", "secret"], check=True)
    return f"plugin {DYNAMIC_SECURITY}\nplugin_opt_config_file {file}\n"


def refusing(kind, folder):
    """Return the configuration with which a broker refuses fw/#."""
    if kind == "mosquitto":
        return forbidding(folder)
    return "max_ack_pending: 32768"  # twice, for fw and for fw/>: one more than there are identifiers


@pytest.mark.parametrize("kind", ["mosquitto", "nats"])
def test_a_subscription_that_is_refused_ends_the_start(tmp_path, kind):
    with broker(kind, tmp_path / kind, extra=refusing(kind, tmp_path)) as server:
        ended = run_command("run", "--config", write_config(tmp_path, server.url))
    assert ended.returncode == 3
    said = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert len(said) == 1
    assert f"the broker at {server.url} refuses the subscription to fw/#" in said[0]


def test_rabbitmq_closes_the_connection_instead_which_is_said_and_tried_again(tmp_path):
    definitions = tmp_path / "definitions.json"
    user, place = {"user": "gateway", "vhost": "/"}, {"configure": ".*", "write": ".*", "read": ".*"}
    topics = {"exchange": "amq.topic", "write": ".*", "read": "^other"}
    definitions.write_text(
        json.dumps(
            {
                "users": [{"name": "gateway", "password": "secret", "tags": ""}],
                "vhosts": [{"name": "/"}],
                "permissions": [user | place],
                "topic_permissions": [user | topics],
            }
        )
    )
    extra = f"load_definitions = {definitions}\nmqtt.default_user = gateway\nmqtt.default_pass = secret"
    with (
        broker("rabbitmq", tmp_path / "rabbitmq", extra=extra) as server,
        gateway(tmp_path, server.url, start=False) as running,
    ):
        running.start()
        wait_until(lambda: len(running.log("outage")) > 1, seconds=PATIENCE, what="a second attempt")
        assert "the broker closed the connection" in running.log("outage")[0]["detail"]
        assert running.get("/readyz").status_code == 503


def test_a_subscription_that_is_refused_later_ends_readiness_until_it_is_granted(tmp_path):
    folder = tmp_path / "mosquitto"
    mosquitto = start_mosquitto(folder)
    granting = (folder / "mosquitto.conf").read_text()
    try:
        with gateway(tmp_path, mosquitto.url) as running:
            (folder / "mosquitto.conf").write_text(granting + forbidding(tmp_path))
            mosquitto.restart()
            wait_until(
                lambda: [
                    line
                    for line in running.log("outage")
                    if "refuses the subscription to fw/#" in line["detail"]
                ],
                seconds=PATIENCE,
                what="the broker's refusal in the log",
            )
            assert running.get("/readyz").status_code == 503
            assert running.metric("forewarn_broker_connected") == 0
            (folder / "mosquitto.conf").write_text(granting)
            mosquitto.restart()
            running.wait_ready()
    finally:
        mosquitto.kill()


def test_what_rabbitmq_does_otherwise_is_as_documented(tmp_path):
    with broker("rabbitmq", tmp_path / "rabbitmq") as server:
        publish(server.url, [("fw/acme/pc/p-1/facts", '{"model": "M1"}')], retain=True)
        with gateway(tmp_path, server.url) as running:
            publish(
                server.url, [(f"fw/acme/pc/{name}/telemetry", '{"cpu.load": 1}') for name in ("p.1", "p-1")]
            )
            wait_until(
                lambda: running.readings("acme/pc/p-1"), seconds=PATIENCE, what="the one without a dot"
            )
            assert [(row["topic"], row["reason"]) for row in running.items("quarantine")] == [
                ("fw/acme/pc/p/1/telemetry", "bad_topic")
            ], "a dot becomes a level of the topic"
            facts = running.get("/api/v1/devices/acme/pc/p-1").json()["facts"]
            assert facts == {}, "what it had kept is not handed out to a filter with wildcards"

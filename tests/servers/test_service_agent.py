"""This machine as a device: the agent, the embedded broker and a gateway as processes, with real values."""

import contextlib
import json
import os
import shutil
import signal
import subprocess

import paho.mqtt.client as paho
import pytest
from agent_machine import PASSED, RUNNING, before_path, put_smartctl, sata
from gateways import FOREWARN, PATIENCE, gateway, json_lines, now_ms, run_command
from servers import free_port, start_mosquitto, wait_until

pytestmark = pytest.mark.server

NAME = "acme/server/this-machine"


class RunningAgent:
    def __init__(self, folder, broker, *more, path=None, trust=None):
        self.errors = folder / "agent.stderr"
        tenant, device_class, device = NAME.split("/")
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [FOREWARN, "agent", "--broker", broker, "--tenant", tenant, "--class", device_class,
                 "--device", device, "--interval", "1s", *more],
                stdin=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                env=os.environ
                | ({"PATH": path} if path else {})
                | ({"SSL_CERT_FILE": str(trust)} if trust else {}),
            )  # fmt: skip

    def log(self, event):
        lines = json_lines(self.errors.read_text())
        return [line for line in lines if line["event"] == event]

    def wait_log(self, event, count=1):
        wait_until(lambda: len(self.log(event)) >= count, seconds=PATIENCE, every=0.05, what=event)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        assert self.process.wait(PATIENCE) == 0, self.errors.read_text()
        assert "Traceback" not in self.errors.read_text()


@contextlib.contextmanager
def agent(folder, broker, *more, path=None, trust=None):
    running = RunningAgent(folder, broker, *more, path=path, trust=trust)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait(PATIENCE)


class Desk:
    """Whoever listens to the device and asks it: any MQTT client."""

    def __init__(self, url):
        self.heard = []
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda client, *_: client.subscribe(f"fw/{NAME}/+", qos=1)
        self.client.on_message = lambda _, __, m: self.heard.append(
            (m.topic.rpartition("/")[2], json.loads(m.payload))
        )
        host, _, port = url.removeprefix("mqtt://").partition(":")
        self.client.connect(host, int(port))
        self.client.loop_start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()

    def all(self, leaf):
        return [document for heard, document in list(self.heard) if heard == leaf]

    def ask(self, identifier, action, **more):
        command = {"id": identifier, "action": action, "expires": now_ms() + 600_000, **more}
        self.client.publish(f"fw/{NAME}/command", json.dumps(command), qos=1)

    def wait_reply(self, identifier, *states):
        def said():
            return [r["state"] for r in self.all("reply") if r["id"] == identifier]

        wait_until(lambda: len(said()) >= len(states), seconds=PATIENCE, what=f"reply to {identifier}")
        assert said() == list(states)


def test_this_machine_is_seen_asked_and_leaves(tmp_path):
    folder = put_smartctl(tmp_path / "bin", [sata(RUNNING, PASSED)])
    begun = now_ms()
    with gateway(tmp_path / "gateway", "embedded") as running:
        url = f"mqtt://127.0.0.1:{(running.data / 'broker' / 'port').read_text()}"
        with Desk(url) as desk, agent(tmp_path, url, path=before_path(folder)) as device:
            # What forewarn telemetry prints are values of this machine, of now.
            wait_until(
                lambda: (
                    {"cpu.load", "disk.pending_sectors"} <= {r["signal"] for r in running.telemetry(NAME)}
                ),
                seconds=PATIENCE,
                every=0.5,
                what="readings",
            )
            rows = running.telemetry(NAME)
            assert all(0 <= float(r["value"]) <= 100 for r in rows if r["signal"] == "cpu.load")
            assert all(begun <= int(r["ts"]) <= now_ms() for r in rows)
            free = [float(r["value"]) for r in rows if r["signal"] == "storage.free_ratio"]
            assert free
            assert all(0 < ratio < 1 for ratio in free)
            (pending,) = {r["value"] for r in rows if r["signal"] == "disk.pending_sectors"}
            assert pending == "8"
            told = running.get(f"/api/v1/devices/{NAME}").raise_for_status().json()
            assert told["online"] is True
            assert told["facts"]["components"]["sda"]["serial"] == "ZFN0EXAMPLE"

            # Tests are answered while readings go on.
            desk.ask("t1", "cpu.load_test", args={"seconds": 0})
            desk.wait_reply("t1", "running", "error")
            desk.ask("t2", "warp.core_test")
            desk.wait_reply("t2", "unsupported")
            desk.ask("t3", "disk.self_test", component="sda")
            wait_until(lambda: desk.all("reply")[-1]["id"] == "t3", seconds=PATIENCE, what="running")
            seen = len(desk.all("telemetry"))
            wait_until(lambda: len(desk.all("telemetry")) > seen + 1, seconds=PATIENCE, what="readings")
            assert desk.all("reply")[-1]["state"] == "running"
            desk.wait_reply("t3", "running", "passed")

            device.end()
            wait_until(
                lambda: running.get(f"/api/v1/devices/{NAME}").json()["online"] is False,
                seconds=PATIENCE,
                every=0.1,
                what="offline",
            )


def test_what_was_measured_without_a_broker_comes_later_in_order(tmp_path):
    broker = start_mosquitto(tmp_path / "mosquitto")
    try:
        with agent(tmp_path, broker.url) as device:
            device.wait_log("broker_connected")
            broker.kill()
            device.wait_log("broker_away")
            gone = now_ms()
            wait_until(lambda: now_ms() > gone + 3_000, what="three readings")
            broker.restart()
            with Desk(broker.url) as desk:
                device.wait_log("broker_connected", 2)
                wait_until(
                    lambda: any(m["ts"] > now_ms() - 1_500 for m in desk.all("telemetry")),
                    seconds=PATIENCE,
                    what="readings of now",
                )
                stamps = [message["ts"] for message in desk.all("telemetry")]
                assert stamps == sorted(stamps)
                assert sum(gone <= ts <= gone + 3_000 for ts in stamps) >= 2
                assert {"online": True} in desk.all("status")
                device.end(signal.SIGINT)
                wait_until(lambda: desk.all("status")[-1] == {"online": False}, what="offline")
    finally:
        broker.kill()


def test_a_killed_agent_is_offline_by_its_will_and_facts_stay(tmp_path):
    broker = start_mosquitto(tmp_path / "mosquitto")
    try:
        with agent(tmp_path, broker.url) as device:
            device.wait_log("broker_connected")
            with Desk(broker.url) as desk:
                wait_until(lambda: desk.all("facts"), what="retained facts")
                wait_until(lambda: desk.all("status"), what="retained status")
                assert desk.all("status") == [{"online": True}]
                device.process.kill()
                wait_until(lambda: desk.all("status")[-1:] == [{"online": False}], what="the will")
    finally:
        broker.kill()


def test_once_reports_and_ends(tmp_path, mosquitto):
    with Desk(mosquitto.url) as desk:
        told = run_command(
            "agent", "--broker", mosquitto.url, "--tenant", "acme", "--class", "server",
            "--device", "this-machine", "--once",
        )  # fmt: skip
        assert told.returncode == 0, told.stderr
        wait_until(lambda: desk.all("telemetry"), what="the report")
        assert desk.all("status") == []
        assert "cpu.load" in desk.all("telemetry")[0]["values"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_an_account_over_tls_with_the_password_in_a_file(tmp_path):
    key, certificate, accounts = tmp_path / "key.pem", tmp_path / "certificate.pem", tmp_path / "accounts"
    openssl = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    openssl += ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]
    subprocess.run(openssl, check=True, capture_output=True)
    accounts.touch()
    subprocess.run(["mosquitto_passwd", "-b", accounts, NAME, "secret"], check=True, capture_output=True)
    password = tmp_path / "password"
    password.write_text("secret\n")
    port = free_port()
    broker = start_mosquitto(
        tmp_path / "mosquitto",
        extra=f"allow_anonymous false\npassword_file {accounts}\n"
        f"listener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}",
    )
    url, who = f"mqtts://localhost:{port}", ("--username", NAME, "--password-file", str(password))
    try:
        with agent(tmp_path, url, *who, trust=certificate) as device:
            device.wait_log("broker_connected")
            device.end()
        with agent(tmp_path, url, *who) as device:  # a certificate that nobody vouches for
            device.wait_log("broker_away")
            assert "certificate verify failed" in device.log("broker_away")[0]["detail"]
            device.end()
        password.write_text("wrong")
        with agent(tmp_path, url, *who, trust=certificate) as device:
            device.wait_log("broker_away")
            assert "the broker refuses: Not authorized" in device.log("broker_away")[0]["detail"]
            device.end()
    finally:
        broker.kill()

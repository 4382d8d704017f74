"""What ``forewarn devices provision`` makes opens mosquitto's door, by password and by certificate."""

import json
import shutil
import ssl
import subprocess
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from servers import free_port, start_mosquitto, wait_until
from typer.testing import CliRunner

from gateway.cli.devices import devices_app

pytestmark = pytest.mark.server

ACL = Path(__file__).parents[2] / "deploy" / "mosquitto" / "acl"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def provisioned(folder: Path, *arguments: str) -> dict:
    result = CliRunner().invoke(devices_app, ["provision", "acme/server/srv-1", *arguments])
    assert result.exit_code == 0, result.exception
    return json.loads((folder / "provisioned" / "acme_server_srv-1" / "device.json").read_text())


def connected(
    told: dict, port: int, *, password: str | None = None, tls: ssl.SSLContext | None = None
) -> bool:
    """Whether the broker takes a device as it was told to come, and what it says of its own."""
    answers: list[bool] = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=told["client_id"])
    client.on_connect = lambda _c, _u, _f, reason, _p: answers.append(not reason.is_failure)
    client.on_disconnect = lambda *_: answers.append(False)
    if tls is not None:
        client.tls_set_context(tls)
    else:
        client.username_pw_set(told["username"], password or told["password"])
    try:
        client.connect("localhost", port)
    except OSError:
        return False
    client.loop_start()
    try:
        wait_until(lambda: answers, what="the broker's answer")
        if answers[0]:
            client.publish(told["topics"]["telemetry"], "{}", qos=1).wait_for_publish(10)
        return answers[0]
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_password_opens_the_door_until_the_next_one_is_made(folder: Path) -> None:
    accounts = folder / "accounts"
    broker_url = ("--broker", "mqtt://localhost", "--password-file", str(accounts))
    told = provisioned(folder, *broker_url)
    shutil.copy(ACL, folder / "acl")
    port = free_port()
    extra = f"allow_anonymous false\npassword_file {accounts}\nacl_file {folder / 'acl'}"
    broker = start_mosquitto(folder / "mosquitto", port, extra=extra)
    try:
        assert connected(told, broker.port)
        assert not connected(told, broker.port, password="another")
        again = provisioned(folder, *broker_url)
    finally:
        broker.kill()
    broker = start_mosquitto(folder / "mosquitto", port, extra=extra)
    try:
        assert not connected(told, broker.port)
        assert connected(again, broker.port)
    finally:
        broker.kill()


def test_a_certificate_opens_the_door_and_is_its_name(folder: Path) -> None:
    told = provisioned(folder, "--method", "certificate", "--broker", "mqtts://localhost")
    key, certificate, port = folder / "server.key", folder / "server.crt", free_port()
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
    openssl += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(openssl, check=True, capture_output=True)
    shutil.copy(ACL, folder / "acl")
    broker = start_mosquitto(
        folder / "mosquitto",
        extra=f"acl_file {folder / 'acl'}\nlistener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\n"
        f"cafile {folder / 'provisioned' / 'ca.crt'}\nrequire_certificate true\n"
        "use_identity_as_username true",
    )
    place = folder / "provisioned" / "acme_server_srv-1"
    ours = ssl.create_default_context(cafile=str(certificate))
    stranger = ssl.create_default_context(cafile=str(certificate))
    ours.load_cert_chain(place / told["certificate"], place / told["key"])
    try:
        assert connected(told, port, tls=ours)
        assert not connected(told, port, tls=stranger)
        log = (folder / "mosquitto" / "mosquitto.log").read_text()
        assert "u'acme/server/srv-1'" in log
    finally:
        broker.kill()

"""The files in deploy/ work with what they are for."""

import getpass
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from pages import ROOT, page
from prometheus_client.parser import text_string_to_metric_families
from servers import free_port, listens, mosquitto_binary, publish, wait_until
from typer.testing import CliRunner

from gateway.cli.commands import app
from gateway.events import Events
from gateway.wire.topics import subscriptions

DEPLOY = ROOT / "deploy"
BROKER = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")


def test_the_example_configuration_is_good(tmp_path):
    text = (DEPLOY / "forewarn.toml").read_text(encoding="utf-8")
    path = tmp_path / "forewarn.toml"
    path.write_text(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE), encoding="utf-8")
    (tmp_path / "password").write_text("secret\n", encoding="utf-8")
    path.write_text(path.read_text().replace("/etc/forewarn/broker-password", str(tmp_path / "password")))
    result = CliRunner().invoke(app, ["check", "--config", str(path)])
    assert result.exit_code == 0, result.exception
    assert "good" in result.stdout


def metric_names() -> dict[str, set[str]]:
    """Return the names under which Prometheus finds our metrics, with their labels."""
    from prometheus_client import generate_latest

    events = Events()
    events.outage(what="ledger", detail="", retry_in=1.0)
    events.quarantined(reason="not_utf8", messages=1, rows=1, topic="", detail="")
    events.dispatch_target("crm")
    events.answering_target("crm")
    events.case(state="confirmed", case_id="", fault="", device="")
    found: dict[str, set[str]] = {"up": {"job"}}
    for family in text_string_to_metric_families(generate_latest(events.registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions() -> list[str]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "forewarn-alerts.yml").read_text(encoding="utf-8"))
    alerts = [rule["expr"] for group in groups["groups"] for rule in group["rules"]]
    board = json.loads((DEPLOY / "grafana" / "forewarn.json").read_text(encoding="utf-8"))
    panels = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(alerts) > 5
    assert len(panels) > 10
    return alerts + panels


@pytest.mark.parametrize("expression", expressions())
def test_alerts_and_dashboard_name_metrics_and_labels_that_exist(expression):
    known = metric_names()
    names = set(re.findall(r"\b(forewarn_\w+|up)\b", re.sub(r'"[^"]*"', "", expression)))
    assert names
    assert names <= known.keys()
    labels = {
        label
        for group in re.findall(r"by \(([^)]*)\)|\{([^}]*)\}", expression)
        for label in re.findall(r"\b([a-z]+)(?==|,|$)", ",".join(filter(None, group)).replace(" ", ""))
    }
    assert labels <= set().union(*(known[name] for name in names))


def limits(text: str) -> dict[str, str]:
    """Return the settings of a mosquitto configuration that decide how much it holds."""
    settings = dict(
        line.strip().split(" ", 1) for line in text.splitlines() if re.match(r"\s*[a-z_]+ ", line)
    )
    return {k: v for k, v in settings.items() if k not in ("listener", "persistence_location")}


def test_the_broker_in_compose_has_the_limits_of_the_other_one():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    assert limits(compose["configs"]["mosquitto"]["content"]) == limits(BROKER)


def test_compose_and_image_name_what_exists():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    build = compose["services"]["gateway"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).exists()
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", image, re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists(), source
    variables = set(
        re.findall(r"FOREWARN_\w+", image + (DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    )
    assert variables
    for variable in variables:
        assert f"`{variable}`" in page("docs/configuration.md")


@pytest.fixture
def broker(tmp_path):
    """mosquitto with our configuration; only its port, its folder and its user are the test's."""
    if mosquitto_binary() is None:
        pytest.skip("mosquitto is not installed (make debian)")
    started = []

    def start(*extra: str) -> int:
        port = free_port()
        text = BROKER.replace("listener 1883 ", f"listener {port} ")
        text = text.replace("/var/lib/mosquitto/", f"{tmp_path}/")
        if extra:  # accounts
            text = text.replace("allow_anonymous true", "allow_anonymous false")
        own = f"user {getpass.getuser()}"  # started as root, it would become a user that cannot write here
        (tmp_path / "mosquitto.conf").write_text("\n".join([text, own, *extra, ""]))
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [mosquitto_binary(), "-c", str(tmp_path / "mosquitto.conf")], stdout=log, stderr=log
            )
        started.append(process)
        wait_until(lambda: listens(port) or process.poll() is not None, what="mosquitto listening")
        assert process.poll() is None, (tmp_path / "log").read_text()
        return port

    yield start
    for process in started:
        process.terminate()
        process.wait(10)


@pytest.mark.server
def test_mosquitto_takes_its_configuration_and_holds_more_than_its_default(broker):
    import paho.mqtt.client as paho

    port = broker()

    def session() -> paho.Client:
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="consumer", clean_session=False)
        client.connect("127.0.0.1", port)
        return client

    away, subscribed = session(), []
    away.on_subscribe = lambda *_: subscribed.append(True)
    away.subscribe("fw/#", qos=1)
    away.loop_start()
    wait_until(lambda: subscribed, what="the subscription")
    away.disconnect()
    away.loop_stop()
    publish(f"mqtt://127.0.0.1:{port}", [("fw/a/pc/b/telemetry", str(n)) for n in range(3_000)])
    got: list[bytes] = []
    back = session()
    back.on_message = lambda _, __, message: got.append(message.payload)
    back.loop_start()
    try:
        wait_until(lambda: len(got) >= 3_000, what="what waited")
    finally:
        back.disconnect()
        back.loop_stop()
    assert got == [b"%d" % n for n in range(3_000)]


@pytest.mark.server
def test_a_device_speaks_in_its_own_name_only(broker, tmp_path):
    import paho.mqtt.client as paho

    passwords = tmp_path / "passwords"
    passwords.touch()
    for user in ("forewarn", "acme/server/srv-1"):
        subprocess.run(["mosquitto_passwd", "-b", passwords, user, "secret"], check=True, capture_output=True)
    acl = tmp_path / "acl"
    shutil.copy(DEPLOY / "mosquitto" / "acl", acl)
    port = broker(f"password_file {passwords}", f"acl_file {acl}")

    def client(user: str) -> paho.Client:
        made = paho.Client(paho.CallbackAPIVersion.VERSION2)
        made.username_pw_set(user, "secret")
        made.connect("127.0.0.1", port)
        made.loop_start()
        return made

    heard: list[str] = []
    subscribed: list[object] = []
    gateway, device = client("forewarn"), client("acme/server/srv-1")
    try:
        gateway.on_message = device.on_message = lambda _, __, message: heard.append(message.topic)
        gateway.on_subscribe = device.on_subscribe = lambda *_: subscribed.append(True)
        gateway.subscribe([(pattern, 1) for pattern in subscriptions("fw")])
        device.subscribe("fw/acme/server/+/command", qos=1)
        wait_until(lambda: len(subscribed) == 2, what="the subscriptions")
        allowed = [f"fw/acme/server/srv-1/{leaf}" for leaf in ("telemetry", "facts", "status", "reply")]
        for topic in ("fw/acme/server/srv-2/telemetry", "fw/acme/server/srv-1/command", *allowed):
            device.publish(topic, "{}", qos=1).wait_for_publish(10)
        for name in ("srv-2", "srv-1"):
            gateway.publish(f"fw/acme/server/{name}/command", "{}", qos=1).wait_for_publish(10)
        wait_until(lambda: len(heard) >= 7, what="what is allowed")
    finally:
        for each in (gateway, device):
            each.disconnect()
            each.loop_stop()
    told = [f"fw/acme/server/{name}/command" for name in ("srv-1", "srv-2")]  # the gateway hears itself
    assert sorted(heard) == sorted([*allowed, *told, "fw/acme/server/srv-1/command"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_the_unit(tmp_path):
    text = (DEPLOY / "systemd" / "forewarn.service").read_text(encoding="utf-8")
    unit = tmp_path / "forewarn.service"
    unit.write_text(text.replace("/opt/forewarn/.venv/bin/forewarn", shutil.which("true")))
    verified = subprocess.run(
        ["systemd-analyze", "verify", unit], check=False, capture_output=True, text=True
    )
    assert verified.returncode == 0, verified.stderr
    assert "forewarn.service" not in verified.stderr


def test_the_wheel_holds_all_that_the_packages_read(tmp_path):
    """Packs, catalogues, grammar, scripts and styles: an installed forewarn has no checkout beside it."""
    source = tmp_path / "source"
    source.mkdir()
    packages = ("gateway", "diagnostics", "rules", "simulators")
    for name in packages:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    built = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], check=False, cwd=source, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    assert "Warning" not in built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        str(path.relative_to(ROOT))
        for name in packages
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in Path(path).parts
    }
    assert wanted - inside == set()

"""``forewarn agent`` at the command line."""

import json
import shutil
import subprocess

import pytest
from gateways import run_command
from pages import ROOT
from typer.testing import CliRunner

from gateway.agent import unit
from gateway.agent.unit import unit_text
from gateway.cli.commands import app
from gateway.errors import UserError
from gateway.ports import Packet
from gateway.wire.decoder import Decoder
from rules.signals import load_catalogue
from rules.symbols import Symbols

pytestmark = pytest.mark.slow  # each test starts the command anew


def run(*arguments):
    return CliRunner().invoke(app, ["agent", *arguments])


def test_print_shows_messages_that_a_gateway_takes_whole():
    told = ("--print", "--tenant", "acme", "--class", "server", "--device", "srv-1")
    result = run_command("agent", *told)
    assert result.returncode == 0, result.stderr
    sent = [line.split(" ", 1) for line in result.stdout.splitlines()]
    assert [topic for topic, _ in sent] == [f"fw/acme/server/srv-1/{leaf}" for leaf in ("facts", "telemetry")]
    assert "cpu.load" in json.loads(sent[1][1])["values"]
    ts = json.loads(sent[1][1])["ts"]
    inbound = Decoder(Symbols(), load_catalogue()).decode(
        [Packet(topic, payload.encode(), ts) for topic, payload in sent]
    )
    assert not inbound.rejected
    assert len(inbound.readings)


def test_print_needs_neither_broker_nor_tenant():
    assert "fw/TENANT/" in run_command("agent", "--print", "--device", "d").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--tenant", "acme"), "--broker"),
        (("--broker", "mqtt://h"), "--tenant"),
        (("--broker", "http://h", "--tenant", "acme"), "mqtt://HOST:PORT"),
        (("--broker", "mqtt://h", "--tenant", "a c"), "tenant"),
        (("--broker", "mqtt://h", "--tenant", "acme", "--class", "car"), "class"),
        (("--broker", "mqtt://h", "--tenant", "acme", "--interval", "0s"), "--interval"),
        (("--broker", "mqtt://h", "--tenant", "acme", "--drives-every", "often"), "--drives-every"),
        (("--broker", "mqtt://h", "--tenant", "acme", "--password-file", "/is/not/there"), "/is/not/there"),
        (("--broker", "mqtt://u:p@h", "--tenant", "acme", "--install"), "--password-file"),
        (("--once", "--print"), "at most one"),
    ],
)
def test_what_is_wrong_is_explained(arguments, told):
    result = run(*arguments)
    assert result.exit_code != 0
    said = str(result.exception) if isinstance(result.exception, UserError) else result.output
    assert told in said


def test_install_writes_the_unit_and_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(unit, "UNIT_FOLDER", tmp_path)
    result = run("--install", "--broker", "mqtts://h", "--tenant", "acme", "--interval", "1m")
    assert result.exit_code == 0, result.exception
    assert "systemctl enable --now forewarn-agent.service" in result.stdout
    (line,) = [
        line
        for line in (tmp_path / "forewarn-agent.service").read_text().splitlines()
        if line.startswith("ExecStart=")
    ]
    assert line.endswith(
        " agent --broker mqtts://h:8883 --tenant acme --interval 1m --drives-every 1h --root fw"
    )


def test_install_without_the_right_to_says_so(tmp_path):
    with pytest.raises(UserError, match="needs root and systemd"):
        unit.write_unit(["forewarn"], tmp_path / "no such folder")


def test_words_reach_the_agent_as_they_are():
    text = unit_text(["/opt/for ewarn", "100%", "$HOME", 'a"b\\c'])
    assert 'ExecStart="/opt/for ewarn" 100%% $$HOME "a\\"b\\\\c"\n' in text
    with pytest.raises(UserError, match="control"):
        unit_text(["a\nExecStartPre=/bin/sh"])


SHIPPED = ROOT / "deploy" / "systemd" / "forewarn-agent.service"


def test_the_shipped_unit_is_what_install_writes():
    command = ["/opt/forewarn/.venv/bin/forewarn", "agent", "--broker", "mqtts://broker.example.org:8883"]
    command += ["--tenant", "acme", "--username", "acme/server/srv-1"]
    command += ["--password-file", "/etc/forewarn/agent-password"]
    assert SHIPPED.read_text(encoding="utf-8") == unit_text(command)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_the_shipped_unit(tmp_path):
    text = SHIPPED.read_text(encoding="utf-8")
    path = tmp_path / "forewarn-agent.service"
    path.write_text(text.replace("/opt/forewarn/.venv/bin/forewarn", shutil.which("true")))
    verified = subprocess.run(
        ["systemd-analyze", "verify", path], check=False, capture_output=True, text=True
    )
    assert verified.returncode == 0, verified.stderr
    assert "forewarn-agent.service" not in verified.stderr

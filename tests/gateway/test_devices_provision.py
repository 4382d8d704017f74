"""``forewarn devices provision``: what a device is given, and that the registry knows it then."""

import csv
import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.devices import devices_app
from gateway.errors import UserError
from gateway.registry import load_registry
from rules.symbols import DeviceId

SERVER = DeviceId("acme", "server", "srv-1")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owners.csv").write_text("owner,name\nanna,Anna\n")
    return tmp_path


def forewarn(*arguments: str) -> Result:
    return CliRunner().invoke(devices_app, list(arguments))


def provisioned(*arguments: str, broker: str = "mqtts://broker.example.org") -> str:
    result = forewarn("provision", *arguments, "--broker", broker)
    assert result.exit_code == 0, result.exception
    return result.stdout


def registry(folder: Path):
    data = folder / "forewarn-data"
    return load_registry(data / "registry", data / "registry.db")


def test_a_device_gets_an_account_its_topics_and_a_place_in_the_registry(folder: Path) -> None:
    forewarn("import", "owners.csv")
    out = provisioned("acme/server/srv-1", "--model", "R740", "--serial", "S1", "--owner", "anna", "--qr")
    entry = registry(folder).devices[SERVER]
    assert (entry.model, entry.serial, entry.owner) == ("R740", "S1", "anna")
    place = folder / "provisioned" / "acme_server_srv-1"
    told = json.loads((place / "device.json").read_text())
    password = (place / "password").read_text().strip()
    assert told == {
        "broker": "mqtts://broker.example.org:8883",
        "client_id": "acme/server/srv-1",
        "username": "acme/server/srv-1",
        "password": password,
        "topics": {
            leaf: f"fw/acme/server/srv-1/{leaf}"
            for leaf in ("telemetry", "facts", "status", "command", "reply")
        },
    }
    assert (place / "agent.txt").read_text() == (
        "forewarn agent --broker mqtts://broker.example.org:8883 --tenant acme --class server --device srv-1 "
        "--username acme/server/srv-1 --password-file password\n"
    )
    assert 'topic = "telegraf/acme/server/srv-1/{{ .PluginName }}"' in (place / "telegraf.conf").read_text()
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()} == {0o600}
    assert password not in out
    assert "▄" in out


def test_again_makes_a_new_password_and_keeps_what_is_known(folder: Path) -> None:
    provisioned("acme/server/srv-1", "acme/pc/pc-1", "--model", "M")
    accounts = folder / "provisioned" / "mosquitto.passwd"
    accounts.write_text(f"forewarn:$7$101$a$b\n{accounts.read_text()}")
    accounts.chmod(0o640)
    before = accounts.read_text().splitlines()
    out = provisioned("acme/server/srv-1", "--serial", "S2")
    assert "1 had an account already" in out
    after = accounts.read_text().splitlines()
    assert [line.partition(":")[0] for line in after] == ["forewarn", "acme/pc/pc-1", "acme/server/srv-1"]
    assert after[:2] == [before[0], before[2]]
    assert after[2] != before[1]
    assert stat.S_IMODE(accounts.stat().st_mode) == 0o640
    assert (registry(folder).devices[SERVER].model, registry(folder).devices[SERVER].serial) == ("M", "S2")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["acme/server"], "expected a device as tenant/class/device, got 'acme/server'"),
        (["acme/tv/x"], "acme/tv/x: class: expected one of phone, pc, server, appliance, got 'tv'"),
        (
            ["acme/pc/x", "--owner", "bob"],
            "acme/pc/x: owner: expected one that stands in owners.csv, got 'bob'",
        ),
        (["acme/pc/x", "acme/pc/y", "--serial", "S"], "--serial: expected one device"),
        (["acme/pc/a:b"], "acme/pc/a:b: expected a name without a colon for a password"),
        ([f"acme/pc/{'x' * 60}", "--method", "certificate"], "expected a name of at most 64 letters"),
    ],
)
def test_a_users_mistake_is_told(folder: Path, arguments: list[str], said: str) -> None:
    result = forewarn("provision", *arguments, "--broker", "mqtt://b")
    assert isinstance(result.exception, UserError)
    assert said in str(result.exception)
    assert "--broker" in str(forewarn("provision", "acme/pc/x").exception)


def test_a_device_of_the_files_is_left_to_them(folder: Path) -> None:
    files = folder / "forewarn-data" / "registry"
    files.mkdir(parents=True)
    (files / "devices.csv").write_text("tenant,class,device,model\nacme,server,srv-1,R740\n")
    assert "change it there" in str(
        forewarn("provision", "acme/server/srv-1", "--model", "X", "--broker", "mqtt://b").exception
    )
    provisioned("acme/server/srv-1")
    assert [row["model"] for row in csv.DictReader(forewarn("export", "devices").stdout.splitlines())] == [
        "R740"
    ]

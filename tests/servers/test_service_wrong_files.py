"""What the user gave is wrong: exit status 1, file, line, key and what was expected; never a traceback."""

import shlex
import socket
import subprocess
from pathlib import Path

import pytest
from gateways import FOREWARN, run_command, write_config

pytestmark = pytest.mark.server

GOLDEN = Path(__file__).parent.parent / "golden"
CONFIGS = sorted((GOLDEN / "config").glob("*.toml"))
PACKS = sorted((GOLDEN / "rules").glob("*.yaml"))


def assert_as_told(done, file):
    """Hold a run against what stands beside the file that it was given."""
    expected = file.with_suffix(".expected")
    if expected.exists():
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == expected.read_text().replace("{file}", str(file))
    else:
        assert (done.returncode, done.stderr) == (0, "")
        assert ": good. " in done.stdout


def test_there_are_good_and_bad_ones():
    for files in (CONFIGS, PACKS):
        assert sum(path.name.startswith("good_") for path in files) >= 2
        assert sum(path.name.startswith("bad_") for path in files) >= 10
        for path in files:
            assert path.with_suffix(".expected").exists() == path.name.startswith("bad_"), path


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_configurations(tmp_path, file):
    assert_as_told(run_command("check", "--config", file, cwd=tmp_path), file)


@pytest.mark.parametrize("file", PACKS, ids=lambda file: file.stem)
def test_rule_packs(tmp_path, file):
    config = tmp_path / "forewarn.toml"
    config.write_text(f'data_dir = "{tmp_path}"\n[rules]\npacks = ["{file}"]\n')
    assert_as_told(run_command("check", "--config", config), file)


def test_the_environment_is_named_where_it_is_wrong(tmp_path):
    for variable, value, expected in (
        ("FOREWARN_BROKER__URL", "ftp://x", "broker.url: expected mqtt://HOST:PORT"),
        ("FOREWARN_BROKER__ULR", "x", "broker.ulr: unknown key, expected one of: client_id"),
        ("FOREWARN_INTAKE__MAX_BATCH", "many", "intake.max_batch: expected a whole number, got 'many'"),
    ):
        done = run_command("check", cwd=tmp_path, **{variable: value})
        assert done.returncode == 1
        assert done.stderr.startswith(f"environment variable {variable}: {expected}")


def a_registry(data, **tables):
    (data / "registry").mkdir(parents=True)
    for name, text in tables.items():
        (data / "registry" / f"{name}.csv").write_text(text)


def test_a_wrong_registry_and_wrong_rules_are_told_together(tmp_path):
    pack = GOLDEN / "rules" / "bad_shape.yaml"
    config = write_config(tmp_path, "embedded", f'[rules]\npacks = ["builtin", "{pack}"]\n')
    a_registry(
        tmp_path / "data",
        owners="owner,name,country\nP1,Anna,DE\n",
        devices="tenant,class,device,owner,bought\nacme,pc,p-1,bob,2024-06-01\nacme,tv,t-1,,last year\n",
    )
    done = run_command("check", "--config", config)
    assert done.returncode == 1
    registry = tmp_path / "data" / "registry"
    lines = done.stderr.splitlines()
    assert lines[0] == f"{pack}:2: rules: expected a list, got 3"
    assert [line.partition(": expected")[0] for line in lines[1:]] == [
        f"{registry}/owners.csv:1: country",
        f"{registry}/devices.csv:3: class",
        f"{registry}/devices.csv:3: bought",
    ]


def test_run_and_replay_refuse_in_the_same_words_and_leave_nothing_behind(tmp_path):
    config = tmp_path / "forewarn.toml"
    config.write_text(f'data_dir = "{tmp_path}/data"\n[broker]\nulr = "mqtt://h:1"\n')
    told = run_command("check", "--config", config).stderr
    assert told.startswith(f"{config}:3: broker.ulr: unknown key")
    for command in (["run"], ["replay", "/dev/null"], ["orders", "list"], ["explain", "a/pc/b"]):
        done = run_command(*command, "--config", config)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", told)
    pack = GOLDEN / "rules" / "bad_signal.yaml"
    config.write_text(f'data_dir = "{tmp_path}/data"\n[rules]\npacks = ["{pack}"]\n')
    done = run_command("run", "--config", config)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == pack.with_suffix(".expected").read_text().replace("{file}", str(pack))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('data_dir = "/proc/data"', "forewarn.toml:1: data_dir: No such file or directory: /proc/data"),
        (
            'broker.password_file = "/no/such"',
            "forewarn.toml:1: broker.password_file: No such file or directory: /no/such",
        ),
        (
            'http.listen = "192.0.2.1:80"',
            "forewarn.toml:1: http.listen: 192.0.2.1:80: Cannot assign requested address",
        ),
        (
            'rules.packs = ["builtin", "my-rules"]',
            "forewarn.toml:1: rules.packs: expected builtin, a file or a folder, got 'my-rules': there is",
        ),
        ('ledger.url = "sqlite:///letter"', "expected an SQLite database, this file is something else"),
        ('history.url = "duckdb:///letter"', "expected a DuckDB database, this file is something else"),
    ],
)
def test_run_says_what_it_cannot_use(tmp_path, table, expected):
    (tmp_path / "letter").write_text("Dear Sir or Madam,\n" * 100)
    anywhere = "" if "listen" in table else 'http.listen = "127.0.0.1:0"\n'
    (tmp_path / "forewarn.toml").write_text(f"{table}\n{anywhere}")
    done = run_command("run", "--config", "forewarn.toml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert expected in line


def test_a_port_that_is_taken(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run_command("run", cwd=tmp_path, FOREWARN_HTTP__LISTEN=f"127.0.0.1:{port}")
    assert done.returncode == 1
    told = f"http.listen: 127.0.0.1:{port}: Address already in use"
    assert done.stderr == f"environment variable FOREWARN_HTTP__LISTEN: {told}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["check", "--confg", "x"],
        ["run", "extra"],
        ["demo", "--devices", "0"],
        ["demo", "--for", "soon"],
        ["demo", "--speed", "fast"],
        ["explain"],
        ["telemetry", "acme/pc/p-1", "--from", "yesterday"],
        ["orders", "list", "--state", "opne"],
        ["replay"],
    ],
    ids=" ".join,
)
def test_wrong_usage(tmp_path, arguments):
    done = run_command(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: forewarn")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["explain", "srv-1"], "expected a device as tenant/class/device, got 'srv-1'"),
        (
            ["orders", "list"],
            "no ledger at forewarn-data/ledger.db: has the gateway run with this data folder?",
        ),
        (["orders", "show", "SO-1"], "no ledger at forewarn-data/ledger.db"),
        (["telemetry", "acme/pc/p-1"], "no history at forewarn-data/history.duckdb"),
        (["replay", "nowhere.jsonl"], "nowhere.jsonl: No such file or directory"),
        (["check", "--config", "nowhere.toml"], "nowhere.toml: No such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_not_there(tmp_path, arguments, expected):
    done = run_command(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_becomes_of_the_output_is_told_by_the_exit_status(tmp_path):
    forewarn = shlex.quote(str(FOREWARN))
    for command, status in (
        (f"{forewarn} check >/dev/full", 3),
        (f"{forewarn} check >&-", 0),
        (f"{forewarn} check --help | true", 0),
    ):
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        told = "standard output: No space left on device\n" if status else ""
        assert (done.returncode, done.stdout, done.stderr) == (status, "", told), command

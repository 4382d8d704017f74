"""``forewarn quarantine``: rows as they are listed and marked, without a gateway that runs."""

import pytest
from gateways import json_lines, run_command, write_config

from gateway.ledger.store import SqlLedger
from gateway.ports import LedgerWrite, Rejected

pytestmark = pytest.mark.slow  # each test starts the command anew

HOUR = 3_600_000


@pytest.fixture
def config(tmp_path):
    return write_config(tmp_path, "mqtt://127.0.0.1:1")


def row(topic, reason, arrival, payload=b"{", **more):
    return Rejected(topic, reason, "expected [x], got y", payload, arrival, **more)


@pytest.fixture
def filled(tmp_path, config):
    (tmp_path / "data").mkdir()
    ledger = SqlLedger(f"sqlite:///{tmp_path}/data/ledger.db")
    ledger.commit(
        LedgerWrite(
            rejected=[
                row("fw/acme/pc/p/telemetry", "malformed_json", 1_767_225_600_000),
                row("fw/acme/tv/t/telemetry", "unknown_class", 1_767_225_600_000 + HOUR, b"\xff"),
                row("fw/other/tv/t/telemetry", "unknown_class", 1_767_225_600_000 + 2 * HOUR, truncated=True),
            ]
        )
    )
    yield ledger
    ledger.close()


def run(config, *arguments):
    return run_command("quarantine", *arguments, "--config", config)


def listed(config, *arguments):
    answer = run(config, "list", "--json", *arguments)
    assert answer.returncode == 0, answer.stderr
    return [entry["number"] for entry in json_lines(answer.stdout)]


def test_rows_are_listed_newest_first_and_filtered(config, filled):
    assert listed(config) == [3, 2, 1]
    assert listed(config, "--limit", "2") == [3, 2]
    assert listed(config, "--reason", "unknown_class", "--tenant", "acme") == [2]
    assert listed(config, "--topic", "fw/+/tv/#") == [3, 2]
    assert listed(config, "--since", "2026-01-01T01:00:00Z") == [3, 2]
    assert listed(config, "--since", "1h") == []
    entry = json_lines(run(config, "list", "--json", "--limit", "2").stdout)[1]
    assert (entry["payload"], entry["payload_b64"], entry["truncated"]) == (
        "\N{REPLACEMENT CHARACTER}",
        "/w==",
        False,
    )
    shown = run(config, "list").stdout
    assert "expected [x], got y" in shown, "no markup"
    assert "not whole" in shown


def test_rows_are_marked_and_what_cannot_be_is_named(config, filled):
    answer = run(config, "retry", "--reason", "unknown_class")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.splitlines() == [
        "1 row marked; the gateway takes them within seconds, or at its next start.",
        "1 cannot be retried, since only the first part of the payload was kept: 3",
    ]
    assert [row.number for row in filled.to_retry(10)] == [2]
    answer = run(config, "retry", "1", "99")
    assert answer.returncode == 1
    assert answer.stderr == "not in quarantine: 99\n"
    assert [row.number for row in filled.to_retry(10)] == [1, 2]
    assert "waits" in run(config, "list").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["retry"], 2, "expected numbers of rows, or filters"),
        (["retry", "1", "--all"], 2, "expected numbers of rows, or filters"),
        (["retry", "--all", "--reason", "unknown_class"], 2, "expected numbers of rows, or filters"),
        (["list", "--reason", "bad"], 2, "--reason: expected one of payload_too_large, "),
        (["list", "--topic", "fw/#/x"], 2, "MQTT topic filter such as fw/acme/#, got 'fw/#/x'"),
        (["list", "--since", "yesterday"], 2, "got 'yesterday'"),
    ],
)
def test_wrong_usage_is_said(config, filled, arguments, status, said):
    answer = run(config, *arguments)
    assert answer.returncode == status
    assert said in " ".join(answer.stderr.replace("│", " ").split())


@pytest.mark.parametrize("command", [["list"], ["retry", "--all"]])
def test_without_a_ledger_nothing_is_made(config, tmp_path, command):
    answer = run(config, *command)
    assert answer.returncode == 1
    assert answer.stderr.startswith("no ledger at ")
    assert not (tmp_path / "data").exists()

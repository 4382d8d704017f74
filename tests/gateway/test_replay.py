"""`forewarn replay`: the same engine over JSON Lines, through the installed command."""

import base64
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

FOREWARN = Path(sys.executable).with_name("forewarn")
T0 = 1767225600000
MINUTE = 60_000
RULE = {
    "id": "hot",
    "fault": "cpu.overheating",
    "for_devices": {"class": "server"},
    "when": "cpu.temperature > 95",
    "hold": "10m",
}


def line(minute, value, device="srv-1", **more):
    ts = T0 + minute * MINUTE
    payload = {"ts": ts, "values": {"cpu.temperature": value}}
    return {"topic": f"fw/acme/server/{device}/telemetry", "ts": ts, "payload": payload, **more}


def forewarn(*arguments, cwd, stdin=None):
    return subprocess.run(
        [FOREWARN, *arguments], cwd=cwd, input=stdin, check=False, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def rules(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "mine.yaml").write_text(yaml.safe_dump({"pack": "mine", "rules": [RULE]}))
    return folder


def lines(path):
    return [json.loads(text) for text in path.read_text().splitlines()]


def test_replay_writes_cases_orders_and_the_ledger(tmp_path, rules):
    source = tmp_path / "in.jsonl.gz"
    with gzip.open(source, "wt") as file:
        file.writelines(json.dumps(line(m, 99)) + "\n" for m in range(15))
    done = forewarn(
        *("replay", str(source), "--rules", str(rules), "--orders", "o.jsonl", "--cases", "c.jsonl"),
        *("--ledger", "l.jsonl"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (order,) = lines(tmp_path / "o.jsonl")
    assert (order["opened_at"], order["fault"]["code"]) == ("2026-01-01T00:10:00Z", "cpu.overheating")
    assert order["device"]["device"] == "srv-1"
    suspected, confirmed = lines(tmp_path / "c.jsonl")
    assert suspected == {
        "event": "suspected",
        "at": "2026-01-01T00:10:00Z",
        "tenant": "acme",
        "class": "server",
        "device": "srv-1",
        "component": None,
        "rule": "hot",
        "fault": "cpu.overheating",
        "case_id": order["case_id"],
        "reason": "suspected",
    }
    assert (confirmed["event"], confirmed["reason"]) == ("confirmed", "confirmed")
    assert [entry["reason"] for entry in lines(tmp_path / "l.jsonl")] == ["suspected", "confirmed"]


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes_however_devices_interleave(tmp_path, rules):
    messages = [line(m, 99 if m > 3 else 50, device=f"s{d}") for m in range(30) for d in range(5)]
    by_device = sorted(messages, key=lambda m: (m["payload"]["ts"], m["topic"]), reverse=False)
    shuffled = sorted(messages, key=lambda m: (m["payload"]["ts"], m["topic"][::-1]))
    results = set()
    for number, story in enumerate((by_device, by_device, shuffled)):
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(m) + "\n" for m in story))
        out = tmp_path / f"{number}.jsonl"
        cases = tmp_path / f"{number}c.jsonl"
        arguments = ("replay", "in.jsonl", "--rules", "rules", "--orders", str(out), "--cases", str(cases))
        assert forewarn(*arguments, cwd=tmp_path).returncode == 0
        results.add((out.read_bytes(), cases.read_bytes()))
    assert len(results) == 1
    assert len(lines(tmp_path / "0.jsonl")) == 5


def test_standard_input_base64_and_lines_of_no_use(tmp_path, rules):
    encoded = base64.b64encode(json.dumps(line(10, 99)["payload"]).encode()).decode()
    text = "\n".join(
        [
            json.dumps(line(0, 99)),
            "this is not JSON",
            json.dumps({"topic": "fw/acme/server/srv-1/telemetry", "ts": T0}),
            json.dumps({**line(10, 99), "payload": None, "payload_b64": "%%"}),
            json.dumps({k: v for k, v in line(10, 99).items() if k != "payload"} | {"payload_b64": encoded}),
            json.dumps(line(11, float("nan"))),
        ]
    )
    done = forewarn("replay", "-", "--rules", "rules", cwd=tmp_path, stdin=text)
    assert done.returncode == 0
    assert [json.loads(t)["opened_at"] for t in done.stdout.splitlines()] == ["2026-01-01T00:10:00Z"]
    assert "-:2: expected an object with topic, ts and payload" in done.stderr
    assert "-:3: expected either payload or payload_b64" in done.stderr
    assert "not_a_number" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_is_a_sentence_and_exit_status_1(tmp_path, rules):
    done = forewarn("replay", "nowhere.jsonl", "--rules", "rules", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "nowhere.jsonl: No such file or directory\n")


def test_a_bad_pack_is_refused_whole_with_its_place(tmp_path, rules):
    (rules / "bad.yaml").write_text(
        "pack: bad\nrules:\n  - id: x\n    fault: a.b\n    when: cpu.temprature > 3\n    hold: 5\n"
    )
    (tmp_path / "in.jsonl").write_text("")
    done = forewarn("replay", "in.jsonl", "--rules", "rules", cwd=tmp_path)
    assert done.returncode == 1
    assert "rules/bad.yaml:6: rules[0].hold: expected a duration such as 30s" in done.stderr
    (rules / "bad.yaml").write_text(
        "pack: bad\nrules:\n  - id: x\n    fault: a.b\n    when: cpu.temprature > 3\n"
    )
    done = forewarn("replay", "in.jsonl", "--rules", "rules", cwd=tmp_path)
    assert "rules/bad.yaml:5:11: rules[0].when: unknown signal 'cpu.temprature'; did you mean" in done.stderr


def test_a_file_of_something_else_is_refused(tmp_path, rules):
    (tmp_path / "table.csv").write_text("ts,value\n1,2\n")
    done = forewarn("replay", "table.csv", "--rules", str(rules), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    *_, last = done.stderr.splitlines()
    assert last == "table.csv: expected JSON Lines with topic, ts and payload, found none"

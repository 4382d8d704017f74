"""`forewarn rules test`: what it prints, what it writes and how it ends."""

import re
import subprocess
import sys
from xml.etree import ElementTree as Xml

import pytest
from pages import ROOT
from typer.testing import CliRunner

from gateway.cli.commands import app

pytestmark = pytest.mark.slow  # each test starts the command anew

PACK = """\
pack: p
rules:
  - id: worn
    fault: washer.bearing
    for_devices: {class: appliance, model: "W*"}
    when: drum.vibration > limit("rough")
    limits: {rough: 3}
    hold: 10m
"""
PASSING = """\
tests:
  - name: worn
    device: {class: appliance, model: W900}
    series: {drum.vibration: 0x5 4x20, motor.current: 2x25}
    expect: [{at: 15m, suspected: washer.bearing}]
  - name: Smooth
    device: {class: appliance, model: W900}
    series: {drum.vibration: 2x20}
    expect: [{quiet: true}]
"""
FAILING = """\
tests:
  - name: "worn & torn <\\a>"
    device: {class: appliance, model: W900}
    series: {drum.vibration: 0x5 4x20, motor.current: 2x25}
    expect:
      - {at: 14m, suspected: washer.bearing}
  - name: another make
    device: {class: appliance, model: X1}
    series: {drum.vibration: 4x12}
    expect:
      - {at: 10m, suspected: washer.bearing}
  - name: fine
    device: {class: appliance}
    series: {drum.vibration: 4x12}
    expect: [{quiet: true}]
"""
#: Byte for byte; a bell in a name does not ring at the terminal.
REPORT = """\
FAILED  worn & torn <>  (bad.test.yaml:2)
  bad.test.yaml:6
    expected  suspected washer.bearing at 14m
    got       suspected washer.bearing at 15m (rule worn, major)
    15m        Suspected: Drum bearing worn. Rule worn was true for 10m: drum.vibration > 3.
    15m        Confirmed by the finding itself: the rule asks for no further confirmation. \
Order SO-1 was opened.
    at 14m     rule worn is PENDING since 5m
    at 15m     rule worn is SUSPECTED since 15m
               when drum.vibration > 3, for 10m
      time  drum.vibration
      10m   4
      11m   4
      12m   4
      13m   4
    > 14m   4
    > 15m   4
      16m   4
      17m   4

FAILED  another make  (bad.test.yaml:7)
  bad.test.yaml:11
    expected  suspected washer.bearing at 10m
    got       nothing happened to washer.bearing
    at 10m     rule worn does not look at acme/appliance/device-1
               it is for class appliance; model W*
               when drum.vibration > 3, for 10m
      time  drum.vibration
      6m    4
      7m    4
      8m    4
      9m    4
    > 10m   4
      11m   4

3 tests in 1 file, 2 failed
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(
        PACK.replace('limit("rough")', "3").replace("    limits: {rough: 3}\n", "")
    )
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, ["rules", "test", *map(str, arguments)])


def test_all_passed(folder):
    (folder / "good.test.yaml").write_text(PASSING)
    result = run("good.test.yaml")
    assert (result.exit_code, result.stdout) == (0, "2 tests in 1 file, all passed\n")


def test_those_that_passed_are_named_when_asked(folder):
    (folder / "good.test.yaml").write_text(PASSING)
    lines = run(".", "--verbose").stdout.splitlines()
    assert [re.sub(r"\d+\.\d+ s", "S", line) for line in lines] == [
        "passed  worn  (good.test.yaml:2, S)",
        "passed  Smooth  (good.test.yaml:6, S)",
        "2 tests in 1 file, all passed",
    ]


def test_a_failure_is_told_with_all_it_takes_to_see_why(folder):
    (folder / "bad.test.yaml").write_text(FAILING)
    result = run("bad.test.yaml")
    assert result.exit_code == 1
    assert re.sub(r"SO-\w+", "SO-1", result.stdout) == REPORT


def test_limits_by_name_are_told_with_their_values(folder):
    (folder / "p.yaml").write_text(PACK)
    (folder / "bad.test.yaml").write_text(FAILING)
    assert "               limits rough 3\n" in run("bad.test.yaml").stdout


def test_all_files_below_a_folder_each_once(folder):
    (folder / "deeper").mkdir()
    (folder / "deeper" / "p.yaml").write_text((folder / "p.yaml").read_text())
    for name in ("good.test.yaml", "deeper/good.test.yml"):
        (folder / name).write_text(PASSING)
    assert run(".", "deeper", "good.test.yaml").stdout == "4 tests in 2 files, all passed\n"


def test_only_those_whose_name_holds_a_text(folder):
    (folder / "good.test.yaml").write_text(PASSING)
    assert run(".", "--filter", "smooth").stdout == "1 test in 1 file, all passed\n"
    result = run(".", "--filter", "smoooth")
    assert result.exit_code == 1
    assert str(result.exception) == "--filter: no test's name holds 'smoooth'"


def test_a_wrong_file_is_told_and_the_others_run(folder):
    (folder / "a.test.yaml").write_text(PASSING.replace("drum.vibration", "drum.vibrations", 1))
    (folder / "b.test.yaml").write_text(PASSING)
    result = run(".")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "a.test.yaml:4: tests[0].series.drum.vibrations: unknown signal 'drum.vibrations'; "
        "did you mean drum.vibration?",
        "2 tests in 2 files, 1 file wrong",
    ]


def test_a_wrong_pack_is_told(folder):
    (folder / "p.yaml").write_text(PACK.replace("> limit", "> > limit"))
    (folder / "good.test.yaml").write_text(PASSING)
    result = run(".")
    assert result.exit_code == 1
    assert result.stdout.startswith("p.yaml:6:")


def test_what_the_gateway_would_not_take_is_told(folder):
    (folder / "good.test.yaml").write_text(PASSING.replace("drum.vibration:", "drum.vibration@a b:", 1))
    result = run(".")
    assert result.exit_code == 1
    assert "good.test.yaml:2: the gateway would not take this: fw/acme/appliance/device-1/" in result.stdout


def test_what_is_not_there_is_said(folder):
    result = run("nowhere.test.yaml")
    assert result.exit_code == 1
    assert str(result.exception).startswith("nowhere.test.yaml: expected a scenario file (*.test.yaml)")
    assert str(run(".").exception) == ".: expected scenario files (*.test.yaml), found none"


def test_junit_can_be_read_by_others(folder):
    (folder / "bad.test.yaml").write_text(FAILING)
    (folder / "wrong.test.yaml").write_text("tests: 5")
    assert run(".", "--junit", "out.xml").exit_code == 1
    root = Xml.parse(folder / "out.xml").getroot()
    assert (root.tag, root.attrib | {"time": ""}) == (
        "testsuites",
        {"name": "forewarn rules test", "tests": "4", "failures": "2", "errors": "1", "time": ""},
    )
    bad, wrong = root
    assert {key: bad.get(key) for key in ("name", "tests", "failures", "errors")} == {
        "name": "bad.test.yaml",
        "tests": "3",
        "failures": "2",
        "errors": "0",
    }
    torn, another, fine = bad
    assert torn.get("name") == "worn & torn <\N{REPLACEMENT CHARACTER}>"  # XML has no bell
    assert (torn.get("classname"), torn.get("file"), torn.get("line")) == ("bad.test.yaml",) * 2 + ("2",)
    assert float(torn.get("time")) > 0
    (failure,) = torn
    assert failure.tag == "failure"
    assert failure.get("message") == (
        "expected suspected washer.bearing at 14m, got suspected washer.bearing at 15m (rule worn, major)"
    )
    told = REPORT.split("FAILED")[1].split("\n", 1)[1].strip("\n")
    assert re.sub(r"SO-\w+", "SO-1", failure.text) == told
    assert [child.tag for child in another] == ["failure"]
    assert list(fine) == []
    ((error,),) = wrong
    assert (error.tag, error.text) == ("error", "wrong.test.yaml:1: tests: expected a list, got '5'")


def test_junit_that_cannot_be_written_is_said(folder):
    (folder / "good.test.yaml").write_text(PASSING)
    result = run(".", "--junit", "nowhere/out.xml")
    assert result.exit_code == 1
    assert str(result.exception) == "nowhere/out.xml: No such file or directory"


def test_the_exit_status_is_the_contract_s(folder):
    (folder / "good.test.yaml").write_text(PASSING)
    (folder / "bad.test.yaml").write_text(FAILING)

    def status(*arguments):
        command = [sys.executable, "-c", "from gateway.cli.entry import main; main()", "rules", "test"]
        return subprocess.run(
            [*command, *arguments], cwd=folder, capture_output=True, env=environment, check=False
        ).returncode

    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    assert status("good.test.yaml") == 0
    assert status("bad.test.yaml") == 1
    assert status("nowhere.test.yaml") == 1
    assert status() == 2
    assert status("good.test.yaml", "--no-such") == 2

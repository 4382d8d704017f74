"""What docs/rule-tests.md shows is run, and gives what the page says."""

import pytest
import yaml
from pages import Example, examples, page, rows, words
from typer.testing import CliRunner

from gateway.cli.commands import app
from rules.scenario.devices import REPLY_STATES
from rules.scenario.model import KINDS

PAGE = page("docs/rule-tests.md")


def of_page(language: str, holding: str) -> Example:
    (found,) = [e for e in examples(language) if e.page.name == "rule-tests.md" and holding in e.text]
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-rules").mkdir()
    (tmp_path / "my-rules" / "pumps.yaml").write_text(of_page("yaml", "pack: pumps").text)
    return tmp_path


def shown(holding: str) -> tuple[list[str], str]:
    command, _, output = of_page("console", holding).text.partition("\n")
    return command.removeprefix("$ forewarn ").split(), output


def test_the_example_passes(folder):
    (folder / "my-rules" / "pumps.test.yaml").write_text(of_page("yaml", "level test fails").text)
    command, output = shown("all passed")
    assert CliRunner().invoke(app, command).stdout == output


def test_the_failure_looks_as_shown(folder):
    (folder / "my-rules" / "pumps.test.yaml").write_text(
        """\
tests:
  - name: a well that runs dry is suspected
    device: {class: appliance, model: WP-40}
    series: {well.pressure: 4x10 4-0.5x8 0.5x20}
    expect:
      - {at: 20m, suspected: well.dry}
"""
    )
    command, output = shown("FAILED")
    assert CliRunner().invoke(app, command).stdout == output


@pytest.mark.parametrize("holding", ["replies:", "devices:"])
def test_parts_of_a_test_are_such(folder, holding):
    (part,) = [
        yaml.safe_load(e.text)
        for e in examples("yaml")
        if e.page.name == "rule-tests.md" and e.text.startswith(holding)
    ]
    test = {
        "name": "t",
        "device": {"class": "server"},
        "series": {"cpu.load": "1x60"},
        "expect": [{"quiet": True}],
        **part,
    }
    (folder / "my-rules" / "part.test.yaml").write_text(yaml.safe_dump({"tests": [test]}))
    result = CliRunner().invoke(app, ["rules", "test", "my-rules"])
    assert result.stdout == "1 test in 1 file, all passed\n"


def test_every_key_is_described():
    from rules.scenario.reading import TEST_KEYS

    assert [words(row[0])[0] for row in rows(PAGE, "Keys of a file")[1:]] == ["packs", "tests"]
    assert {words(row[0])[0] for row in rows(PAGE, "Keys of a test")[1:]} == set(TEST_KEYS)


def test_every_expectation_and_answer_is_described():
    told = {
        key
        for row in rows(PAGE, "Expectations")
        for text in words(row[0])
        for key in yaml.safe_load(text)
        if key not in ("at", "of", "reason")
    }
    assert told == {*KINDS, "state", "never", "quiet"}
    section = PAGE.split("## Self tests")[1].split("## ")[0]
    assert [state for state in REPLY_STATES if f"`{state}`" not in section] == []

"""The README's own way: what a stranger types gives what the page shows."""

import json
import re

import pytest
from pages import PAGES, ROOT, Example, examples, page
from typer.testing import CliRunner

from gateway.cli.commands import app
from gateway.ports import Packet
from gateway.wire.decoder import Decoder
from rules.loader import load_rules
from rules.symbols import Symbols


def of_readme(language: str, holding: str = "") -> Example:
    (found,) = [e for e in examples(language) if e.page.name == "README.md" and holding in e.text]
    return found


def test_the_first_rule_does_what_the_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-rules").mkdir()
    (tmp_path / "my-rules" / "freezer.yaml").write_text(of_readme("yaml").text, encoding="utf-8")
    (tmp_path / "night.jsonl").write_text(of_readme("jsonl").text, encoding="utf-8")
    command, *output = of_readme("console", "forewarn replay").text.splitlines()
    result = CliRunner().invoke(app, command.removeprefix("$ forewarn ").split())
    assert result.exit_code == 0, result.exception
    assert result.stdout.splitlines() == [line for line in output if line.startswith("{")]
    assert result.stderr.splitlines() == [line for line in output if not line.startswith("{")]
    assert json.loads(result.stdout.splitlines()[-1])["event"] == "confirmed"


def test_the_smallest_configuration_is_good_in_the_words_of_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    smallest = of_readme("toml", "broker").text
    (tmp_path / "forewarn.toml").write_text(smallest, encoding="utf-8")
    lines = of_readme("console", "forewarn check").text.splitlines()
    at = lines.index("$ forewarn check --config forewarn.toml")
    result = CliRunner().invoke(app, ["check", "--config", "forewarn.toml"])
    assert result.exit_code == 0, result.exception
    assert result.stdout.strip() == lines[at + 1]


@pytest.mark.parametrize("example", [e for e in examples("json") if e.page.name == "mqtt.md"], ids=str)
def test_messages_shown_are_of_use(example):
    leaf = "telemetry" if "values" in example.text else "facts"
    decoder = Decoder(Symbols(), load_rules([]).catalogue)
    inbound = decoder.decode(
        [Packet(f"fw/acme/server/srv-1/{leaf}", example.text.encode(), 1_767_225_600_000)]
    )
    assert not inbound.rejected
    assert len(inbound.readings) or inbound.notices


@pytest.mark.parametrize("path", PAGES, ids=[str(path.relative_to(ROOT)) for path in PAGES])
def test_links_to_headings_lead_to_one(path):
    for file, anchor in re.findall(r"\]\(([^)\s#:]*)#([^)\s]+)\)", path.read_text(encoding="utf-8")):
        target = (path.parent / file).resolve() if file else path
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert anchor in anchors


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md"])
def test_files_named_in_passing_are_there(name):
    folders = "tests|docs|deploy|rules|gateway|diagnostics|simulators"
    named = re.findall(rf"`((?:{folders})/[\w./-]+)`", page(name))
    missing = [file for file in named if "NAME" not in file and not (ROOT / file).exists()]
    assert missing == []

"""Lists in the documentation are the code's; those of keys and reasons: test_docs_examples.py."""

import re
from importlib.util import module_from_spec, spec_from_file_location

import typer
from pages import ROOT, page, rows, words

from diagnostics.decision import Reason
from gateway.cli.accounts import accounts_app
from gateway.cli.bench import bench_app
from gateway.cli.commands import app
from gateway.cli.dispatch import dispatch_app
from gateway.cli.quarantine import quarantine_app
from rules.lifecycle import TABLE, Event, State
from rules.loader import load_rules
from rules.model import ProbeWay, RuleEntry

REASONS = page("docs/reasons.md")
RULES = page("docs/rules.md")
FAULTS = page("docs/faults.md")
README = page("README.md")


def test_reasons_that_nothing_decides_by_are_told_apart():
    source = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("diagnostics", "gateway")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "decision.py" and "console" not in path.parts  # the console has words for all
    )
    used = {reason.value for reason in Reason if f"Reason.{reason.name}" in source}
    told = {words(row[0])[0] for row in rows(REASONS, "Reserved") if words(row[0])}
    assert told == {reason.value for reason in Reason} - used


def test_every_key_of_a_rule_is_described_with_its_default():
    described = {words(row[0])[0]: row[1] for row in rows(RULES, "Keys of a rule") if words(row[0])}
    assert described.keys() == RuleEntry.model_fields.keys()
    required = {key for key, field in RuleEntry.model_fields.items() if field.is_required()}
    assert {key for key, default in described.items() if default == "required"} == required
    assert described["severity"] == f"`{RuleEntry.model_fields['severity'].default}`"


def test_self_tests_of_the_shipped_packs_are_named():
    asked = {
        way.action
        for rule in load_rules(["builtin"]).rules
        for way in (rule.confirm.ways if rule.confirm else ())
        if isinstance(way, ProbeWay)
    }
    assert {words(row[0])[0] for row in rows(FAULTS, "Self tests") if words(row[0])} == asked


def test_every_command_and_option_stands_in_the_readme():
    told = {}
    for row in rows(README, "Commands"):
        for usage in words(row[0]):
            name = re.match(r"forewarn ((?:[a-z]+ )*[a-z]+)", usage)[1]
            told[name] = set(re.findall(r"--[a-z-]+", usage))
    real = {}

    def walk(group, prefix=""):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                walk(command, f"{prefix}{name} ")
            else:
                options = {o for p in command.params for o in p.opts if o.startswith("--")}
                real[prefix + name] = options - {"--help"}

    walk(typer.main.get_command(app))
    walk(typer.main.get_command(bench_app), "bench ")
    walk(typer.main.get_command(quarantine_app), "quarantine ")
    walk(typer.main.get_command(dispatch_app), "dispatch ")
    walk(typer.main.get_command(accounts_app), "accounts ")
    assert told == real


def test_commands_to_come_do_not_exist_yet():
    (line,) = re.findall(r"\*\*Commands to come\*\*: (.*)$", README, re.MULTILINE)
    names = {name for name, *_ in map(str.split, words(line))}
    assert not names & {*typer.main.get_command(app).commands, "bench", "quarantine"} - {"orders", "devices"}


def test_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))
    named = {
        name
        for text in (README, page("ARCHITECTURE.md"), RULES)
        for name in re.findall(r"`make ([a-z]+)", text)
    }
    assert {"demo", "test", "install"} <= named <= targets


def test_the_life_of_a_rule_is_drawn_from_its_table():
    spec = spec_from_file_location("draw_lifecycle", ROOT / "docs" / "draw_lifecycle.py")
    drawing = module_from_spec(spec)
    spec.loader.exec_module(drawing)
    assert drawing.page_with_drawing(RULES) == RULES, "draw it anew: make docs"
    assert drawing.lifecycle() in RULES


def test_the_table_of_a_rule_s_life_is_the_code_s():
    table = rows(page("ARCHITECTURE.md"), "The life of a rule")
    assert table[0][1:] == [event.name for event in Event]
    told = {row[0]: row[1:] for row in table if row[0] in State.__members__}
    assert told == {s.name: [State(TABLE[s, e]).name for e in Event] for s in State}

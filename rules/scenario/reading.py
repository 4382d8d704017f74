"""Scenario files: read, checked against the packs that they test, refused with file, line and key."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from rules.loader import RuleSet
from rules.scenario.devices import read_devices
from rules.scenario.expecting import ExpectationReader
from rules.scenario.knowledge import Known
from rules.scenario.model import Expectation, Scenario
from rules.scenario.notation import MOST_STEPS
from rules.scenario.spots import ScenarioError, Spot, read_root, told
from rules.times import MINUTE_MS, parse_instant

DEFAULT_START = parse_instant("2026-03-02T08:00:00Z")

_DEVICE_KEYS = ("device", "series", "facts", "replies", "silent")
#: Keys of a test.
TEST_KEYS = ("name", "start", "every", "until", "devices", "expect", *_DEVICE_KEYS)


def is_scenario_file(path: Path) -> bool:
    """Return whether a file is one of scenarios by its name."""
    return path.name.endswith((".test.yaml", ".test.yml"))


@dataclass(frozen=True, slots=True)
class ScenarioFile:
    """A scenario file whose packs are known and whose tests are still to be checked against them.

    Attributes:
        packs: as `rules.loader.load_rules` takes them.
    """

    path: Path
    packs: tuple[str | Path, ...]
    tests: Spot

    def scenarios(self, ruleset: RuleSet, reasons: Collection[str]) -> list[Scenario]:
        """Return the tests of the file.

        Args:
            ruleset: the packs under test.
            reasons: what decisions may name as theirs.

        Raises:
            ScenarioError: any of them is wrong; all problems are told.
        """
        known = Known(ruleset, reasons)
        problems: list[str] = []
        scenarios: dict[str, Scenario] = {}
        for spot in self.tests.items():
            with told(problems):
                scenario = _read_test(spot, known, problems)
                if scenario.name in scenarios:
                    earlier = scenarios[scenario.name].place
                    raise spot.problem(f"a test named {scenario.name!r} stands already at {earlier}")
                scenarios[scenario.name] = scenario
        if problems:
            raise ScenarioError(problems)
        if not scenarios:
            raise self.tests.problem("expected tests, the list is empty")
        return list(scenarios.values())


def read_scenario_file(path: Path) -> ScenarioFile:
    """Read a file as far as it can be without its packs.

    Raises:
        ScenarioError: it is not YAML, or not of the shape of a scenario file.
    """
    entries = read_root(path).entries(("packs", "tests"), required=("tests",))
    if "packs" in entries:
        packs = tuple(_pack(spot, path.parent) for spot in entries["packs"].items())
    else:
        packs = _packs_beside(path)
    if not packs:
        raise entries.get("packs", entries["tests"]).problem(
            f"expected packs to test; beside this file in {path.parent} stands none, name them under packs"
        )
    return ScenarioFile(path, packs, entries["tests"])


def _pack(spot: Spot, folder: Path) -> str | Path:
    what = f"builtin, or the path of a pack from {folder} on"
    name = spot.text(what)
    if name == "builtin":
        return name
    if not (folder / name).exists():
        raise spot.expected(what)
    return folder / name


def _packs_beside(path: Path) -> tuple[str | Path, ...]:
    """Return the packs of a file's folder; the shipped ones belong together."""
    folder = path.resolve().parent
    if folder == Path(__file__).resolve().parents[1] / "packs":
        return ("builtin",)
    return tuple(
        sorted(
            beside
            for beside in path.parent.iterdir()
            if beside.suffix in (".yaml", ".yml") and not is_scenario_file(beside)
        )
    )


def _read_test(spot: Spot, known: Known, problems: list[str]) -> Scenario:
    """Return one test; what is wrong with a part of it is noted, and the test is not to be used."""
    entries = spot.entries(TEST_KEYS, required=("name", "device", "series", "expect"))
    start = entries["start"].instant() if "start" in entries else DEFAULT_START
    every_ms = MINUTE_MS
    if "every" in entries:
        every_ms = entries["every"].duration()
        if not every_ms:
            raise entries["every"].expected("a duration above zero")
    before = len(problems)
    devices = read_devices(spot, entries, known, start, problems)
    end = start + (max(device.steps for device in devices) - 1) * every_ms
    if "until" in entries:
        end = entries["until"].moment(start)
    if (end - start) // every_ms >= MOST_STEPS:
        raise entries.get("until", spot).problem(f"expected at most {MOST_STEPS} steps")
    scenario = Scenario(
        name=entries["name"].text(),
        file=spot.file,
        line=spot.line,
        start=start,
        every_ms=every_ms,
        end=end,
        devices=devices,
        expectations=(),
    )
    problems += [
        f"{change.place}: facts: expected {scenario.limits}"
        for device in devices
        for change in device.changes
        if change.at > end
    ]
    if len(problems) > before:  # what is expected may hang on what is wrong
        return scenario
    reader = ExpectationReader(known, scenario)
    return replace(scenario, expectations=tuple(_expectations(entries["expect"], reader, problems)))


def _expectations(spot: Spot, reader: ExpectationReader, problems: list[str]) -> list[Expectation]:
    found = []
    for item in spot.items():
        with told(problems):
            found.append(reader.read(item))
    if not spot.items():
        raise spot.problem("expected expectations, the list is empty")
    return found

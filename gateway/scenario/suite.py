"""Scenario files found, run and judged: one outcome a file, one result a test."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from diagnostics.decision import Reason
from diagnostics.faults import load_faults
from gateway.errors import UserError
from gateway.scenario.running import Course, run_scenario
from rules.loader import PackError, RuleSet, load_rules
from rules.scenario.judging import Failure, judge
from rules.scenario.model import InState, Scenario
from rules.scenario.reading import is_scenario_file, read_scenario_file
from rules.scenario.spots import ScenarioError


@dataclass(frozen=True, slots=True)
class Result:
    """How a test went.

    Attributes:
        failures: none when it passed.
        course: what happened, with the standings of all that failed.
        seconds: that it took.
    """

    scenario: Scenario
    ruleset: RuleSet
    failures: Sequence[Failure]
    course: Course
    seconds: float


@dataclass(slots=True)
class FileOutcome:
    """How a file went.

    Attributes:
        problems: sentences on what is wrong with the file or its packs; then it has no results, or none
            after the test that could not be run.
    """

    file: str
    results: list[Result] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the file is right and all its tests passed."""
        return not self.problems and not any(result.failures for result in self.results)


def scenario_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files that paths name, each once: files as they are, of folders all below by their names.

    Raises:
        UserError: a path is not there, or a folder has none.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise UserError(
                f"{path}: expected a scenario file (*.test.yaml) or a folder of them, found nothing"
            )
        files = [path]
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if is_scenario_file(file) and file.is_file())
            if not files:
                raise UserError(f"{path}: expected scenario files (*.test.yaml), found none")
        for file in files:
            found.setdefault(file.resolve(), file)
    return list(found.values())


class Suite:
    """Runs scenario files; packs that several name are loaded once."""

    def __init__(self, name_holds: str = "") -> None:
        """Run those tests alone whose name holds a text, in whatever case."""
        self._name_holds = name_holds.casefold()
        self._faults = load_faults()
        self._rulesets: dict[tuple[str, ...], RuleSet | PackError] = {}
        self._reasons = frozenset(reason.value for reason in Reason)

    def run(self, files: Sequence[Path]) -> Iterator[FileOutcome]:
        """Run files one by one."""
        for file in files:
            outcome = FileOutcome(str(file))
            try:
                for scenario, ruleset in self._scenarios(file):
                    outcome.results.append(self._run(scenario, ruleset))
            except (ScenarioError, PackError) as error:
                outcome.problems += error.problems
            yield outcome

    def _scenarios(self, file: Path) -> Iterator[tuple[Scenario, RuleSet]]:
        read = read_scenario_file(file)
        ruleset = self._ruleset(read.packs)
        for scenario in read.scenarios(ruleset, self._reasons):
            if self._name_holds in scenario.name.casefold():
                yield scenario, ruleset

    def _ruleset(self, packs: Sequence[str | Path]) -> RuleSet:
        key = tuple(pack if isinstance(pack, str) else str(pack.resolve()) for pack in packs)
        if key not in self._rulesets:
            try:
                self._rulesets[key] = load_rules(packs)
            except PackError as error:
                self._rulesets[key] = error
        found = self._rulesets[key]
        if isinstance(found, PackError):
            raise found
        return found

    def _run(self, scenario: Scenario, ruleset: RuleSet) -> Result:
        begun = perf_counter()
        looks = [e.what.at for e in scenario.expectations if isinstance(e.what, InState)]
        course = run_scenario(scenario, ruleset, self._faults, looks)
        failures = judge(scenario, course.happenings, course.states)
        if failures:  # once more, to see where the rules stood then
            looks += [point for failure in failures for point in failure.points]
            course = run_scenario(scenario, ruleset, self._faults, looks)
        return Result(scenario, ruleset, failures, course, perf_counter() - begun)

"""``forewarn rules test``: scenario files beside rule packs, run and told on the terminal."""

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from gateway.errors import UserError
from gateway.scenario.junit import write_junit
from gateway.scenario.report import Line, report_lines
from gateway.scenario.suite import FileOutcome, Suite, scenario_files

rules_app = typer.Typer(help="Rule packs.", no_args_is_help=True)


@rules_app.callback()
def rules() -> None:
    """Rule packs."""


@rules_app.command("test")
def run_tests(
    paths: Annotated[list[Path], typer.Argument(help="Scenario files, or folders of *.test.yaml.")],
    name_holds: Annotated[str, typer.Option("--filter", help="Only tests whose name holds this.")] = "",
    junit: Annotated[Path | None, typer.Option(help="Write the results here as JUnit XML.")] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Name the tests that passed, too.")
    ] = False,
) -> None:
    """Run scenario files: series of readings, and what the rules must make of them at which time."""
    begun = perf_counter()
    files = scenario_files(paths)
    console = Console(highlight=False, soft_wrap=True)
    outcomes: list[FileOutcome] = []
    for outcome in _with_progress(Suite(name_holds).run(files), len(files), console):
        outcomes.append(outcome)
        for line in _lines(outcome, verbose):
            console.print(Text(line.text, style=line.style))
    if junit is not None:
        write_junit(junit, outcomes)
    tests = sum(len(outcome.results) for outcome in outcomes)
    wrong = [outcome for outcome in outcomes if outcome.problems]
    if name_holds and not tests and not wrong:
        raise UserError(f"--filter: no test's name holds {name_holds!r}")
    failed = sum(bool(result.failures) for outcome in outcomes for result in outcome.results)
    summary = _summary(tests, failed, len(wrong), len(files))
    if console.is_terminal:
        summary += f" ({perf_counter() - begun:.1f} s)"
    passed = not failed and not wrong
    console.print(Text(summary, style="bold green" if passed else "bold red"))
    if not passed:
        raise typer.Exit(1)


def _with_progress(outcomes: Iterator[FileOutcome], total: int, console: Console) -> Iterator[FileOutcome]:
    """Pass outcomes on; a bar shows how many when there are several and someone looks."""
    columns = (TextColumn("testing"), BarColumn(), MofNCompleteColumn())
    shown = console.is_terminal and total > 1
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        yield from bar.track(outcomes, total=total)


def _lines(outcome: FileOutcome, verbose: bool) -> Iterator[Line]:
    for result in outcome.results:
        if result.failures:
            yield from report_lines(result)
            yield Line("")
        elif verbose:
            scenario = result.scenario
            yield Line(f"passed  {scenario.name}  ({scenario.place}, {result.seconds:.2f} s)")
    for problem in outcome.problems:
        yield Line(problem, "red")


def _summary(tests: int, failed: int, wrong: int, files: int) -> str:
    parts = [f"{tests} {_plural('test', tests)} in {files} {_plural('file', files)}"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{wrong} {_plural('file', wrong)} wrong"] if wrong else []
    parts += ["all passed"] if not failed and not wrong else []
    return ", ".join(parts)


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"

"""The user's own rule packs as the console edits them: read, checked, written whole, put in force."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import yaml

from diagnostics.faults import FaultCatalogue
from gateway.api.views import Reloads, Tallies
from gateway.backtest.jobs import Backtests
from gateway.backtest.plan import PackFiles
from gateway.config import Config
from gateway.errors import StoreUnavailableError, UserError
from gateway.events import Events
from gateway.loading import own_packs, pack_sources
from gateway.rulechange import RuleChange
from rules.loader import PackError, RuleSet, load_files, read_packs
from rules.model import Rule

_FILE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\.yaml")
#: What a new pack begins with.
NEW_PACK = """\
pack: {pack}
rules:
  - id: {pack}_example
    fault: cpu.overheating
    title: What is wrong, in the words of a customer
    for_devices: {{class: server}}
    when: cpu.temperature > 95
    hold: 10m
    severity: major
    source: Where the limit comes from
"""


class RuleService(Reloads, Tallies, Protocol):
    """What puts rules in force and knows where they stand."""


@dataclass(frozen=True, slots=True)
class PackProblem:
    """Something that is wrong with packs.

    Attributes:
        line: of the text that is edited, from 1; None when it is in another file.
        sentence: key, what was expected and what stood there.
    """

    line: int | None
    sentence: str


class Rulebook:
    """The rules in force and the packs that people write. Methods but the asynchronous ones block.

    Attributes:
        ruleset: in force.
        faults: the fault catalogue.
        backtests: of this gateway.
    """

    def __init__(
        self,
        config: Config,
        ruleset: RuleSet,
        faults: FaultCatalogue,
        *,
        service: RuleService,
        backtests: Backtests,
        events: Events,
    ) -> None:
        self.ruleset = ruleset
        self.faults = faults
        self.backtests = backtests
        self.service = service
        self._config = config
        self._events = events

    def use(self, ruleset: RuleSet) -> None:
        """Show other rules from now on."""
        self.ruleset = ruleset

    def rule(self, rule_id: str) -> Rule | None:
        """Return a rule that is in force."""
        return next((rule for rule in self.ruleset.rules if rule.id == rule_id), None)

    @property
    def folder(self) -> Path:
        """Where the packs stand that are written here."""
        return own_packs(self._config)

    def own_files(self) -> list[str]:
        """Return the names of the packs that can be edited."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.glob("*.yaml") if _FILE_NAME.fullmatch(path.name))

    def file_of(self, rule: Rule) -> str | None:
        """Return the file of `own_files` in which a rule stands, None for one of any other pack."""
        path = Path(rule.place.rpartition(":")[0])
        return path.name if path.parent == self.folder and path.name in self.own_files() else None

    def text_of(self, name: str) -> str | None:
        """Return what stands in a pack, None where there is none of that name.

        Raises:
            StoreUnavailableError: it cannot be read.
        """
        path = self._path(name)
        try:
            return path.read_text(encoding="utf-8") if path.exists() else None
        except (OSError, UnicodeDecodeError) as error:
            raise StoreUnavailableError(f"{path}: {error}") from None

    def files_with(self, name: str, text: str) -> PackFiles:
        """Return all packs of the configuration, with a text in the place of one, or besides them.

        Raises:
            PackError: a pack of the configuration is not there or cannot be read.
        """
        files = dict(read_packs(pack_sources(self._config)))
        files[str(self._path(name))] = text.encode("utf-8", "replace")
        return list(files.items())

    def check(self, name: str, text: str) -> list[PackProblem]:
        """Return what is wrong with all packs if this text were one of them, as `forewarn check` says it."""
        try:
            load_files(self.files_with(name, text))
        except PackError as error:
            return [self._problem(name, sentence) for sentence in error.problems]
        return []

    def _problem(self, name: str, sentence: str) -> PackProblem:
        found = re.match(
            rf"{re.escape(str(self._path(name)))}(?::(\d+)(?::\d+)?)?: (.*)", sentence, re.DOTALL
        )
        if found is None:
            return PackProblem(None, sentence)
        return PackProblem(int(found[1] or 1), found[2])

    def copy_of(self, rule: Rule) -> tuple[str, str] | None:
        """Return file and text with which limits of a rule of another pack are changed; None without limits.

        Ids are unique, so a rule of another pack cannot be replaced, only its limits.
        """
        if not rule.limits:
            return None
        name = f"{rule.id}.yaml" if _FILE_NAME.fullmatch(f"{rule.id}.yaml") else "override.yaml"
        classes = next((list(patterns) for key, patterns in rule.selector if key == "class"), ["*"])
        limits = {limit: int(value) if value == int(value) else value for limit, value in rule.limits}
        override = {"rule": rule.id, "for_devices": {"class": classes}, "limits": limits}
        text = (
            f"# Other limits of {rule.id}, a rule of the pack {rule.pack}. For some devices only:\n"
            '# name a model ("R7*"), a tenant or any fact in for_devices.\n'
        )
        shown = {"pack": name.removesuffix(".yaml"), "overrides": [override]}
        return name, text + yaml.safe_dump(shown, sort_keys=False, default_flow_style=None)

    async def put_in_force(self, name: str, text: str, *, by: str) -> RuleChange:
        """Write a pack and let the rules of all packs take the place of those in force.

        Raises:
            PackError: they are wrong; file and rules are those of before.
            UserError: the name is none.
            OutsideError: the file cannot be written, or the gateway is not at work.
        """
        load_files(self.files_with(name, text))
        path = self._path(name)
        before = self.text_of(name)
        _write(path, text)
        try:
            change = await self.service.reload()
        except Exception:
            if before is None:
                path.unlink(missing_ok=True)
            else:
                _write(path, before)
            raise
        self._events.log.info("pack_written", file=str(path), by=by)
        return change

    def _path(self, name: str) -> Path:
        if not _FILE_NAME.fullmatch(name):
            raise UserError(
                f"expected the name of a pack's file: letters, digits, _ and -, then .yaml, got {name!r}"
            )
        return self.folder / name


def _write(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    draft = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StoreUnavailableError(f"{path}: {error.strerror}") from None

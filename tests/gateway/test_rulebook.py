"""Packs written in the console: checked against all others, written whole, taken back when refused."""

import pytest
import yaml

from diagnostics.faults import load_faults
from gateway.config import Config, RulesTable
from gateway.errors import OutsideError, UserError
from gateway.events import Events
from gateway.loading import load_packs, own_packs
from gateway.rulebook import NEW_PACK, Rulebook
from gateway.rulechange import RuleChange
from rules.loader import PackError

GOOD = NEW_PACK.format(pack="mine")


class Service:
    """Puts rules in force, or is not at work."""

    def __init__(self, config):
        self.config = config
        self.works = True
        self.rules = []

    async def reload(self):
        if not self.works:
            raise OutsideError("the gateway is ending")
        self.rules = [rule.id for rule in load_packs(self.config).rules]
        return RuleChange((), (), (), frozenset())

    async def tally(self):
        return []


@pytest.fixture
def book(tmp_path):
    config = Config(data_dir=tmp_path)
    return Rulebook(
        config, load_packs(config), load_faults(), service=Service(config), backtests=None, events=Events()
    )


async def test_a_pack_is_put_in_force_beside_those_that_are_named(book):
    assert book.own_files() == []
    await book.put_in_force("mine.yaml", GOOD, by="eve")
    assert (book.own_files(), book.text_of("mine.yaml")) == (["mine.yaml"], GOOD)
    assert book.service.rules[-1] == "mine_example"
    assert len(book.service.rules) == len(book.ruleset.rules) + 1


async def test_what_cannot_be_put_in_force_leaves_everything_as_it_was(book):
    wrong = GOOD.replace("cpu.temperature", "disk.temperatur")
    (problem,) = book.check("mine.yaml", wrong)
    assert (problem.line, "unknown signal 'disk.temperatur'" in problem.sentence) == (7, True)
    with pytest.raises(PackError):
        await book.put_in_force("mine.yaml", wrong, by="eve")
    book.service.works = False
    with pytest.raises(OutsideError):
        await book.put_in_force("mine.yaml", GOOD, by="eve")
    assert book.own_files() == []
    book.service.works = True
    await book.put_in_force("mine.yaml", GOOD, by="eve")
    book.service.works = False
    with pytest.raises(OutsideError):
        await book.put_in_force("mine.yaml", GOOD.replace("> 95", "> 80"), by="eve")
    assert book.text_of("mine.yaml") == GOOD
    with pytest.raises(UserError, match="name of a pack's file"):
        await book.put_in_force("../mine.yaml", GOOD, by="eve")


async def test_limits_of_a_shipped_rule_are_changed_by_a_pack_of_one_s_own(book):
    for rule in book.ruleset.rules:
        copied = book.copy_of(rule)
        assert (copied is None) == (not rule.limits)
        if copied is not None:
            name, text = copied
            assert book.check(name, text) == []
            (override,) = yaml.safe_load(text)["overrides"]
            assert (override["rule"], override["limits"]) == (rule.id, dict(rule.limits))


def test_a_folder_that_is_named_is_the_one_that_is_written_to(tmp_path):
    (tmp_path / "named").mkdir()
    config = Config(data_dir=tmp_path, rules=RulesTable(packs=["builtin", str(tmp_path / "named")]))
    assert own_packs(config) == tmp_path / "named"

"""Rules in words, and lanes by state, as the Rules pages show them."""

import re
from dataclasses import dataclass

from diagnostics.faults import FaultCatalogue
from diagnostics.faultspage import rule_items
from rules.model import Rule
from rules.signals import Catalogue

_ITEM = re.compile(r"\*\*(?P<name>.+?)\*\*:? ?(?P<text>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Words:
    """One thing that a rule says: ``Suspected``, and when; `parts` where it is a list."""

    name: str
    text: str
    parts: tuple[str, ...] = ()


def rule_words(rule: Rule, catalogue: Catalogue, faults: FaultCatalogue) -> list[Words]:
    """Return what a rule says in plain words, in the words of docs/faults.md."""
    said = []
    for item in rule_items(rule, catalogue, faults):
        lead, *parts = item.split("\n  - ")
        found = _ITEM.match(lead)
        assert found is not None, lead
        said.append(Words(found["name"], _plain(found["text"]), tuple(map(_plain, parts))))
    return said


def sentence_of(rule: Rule, catalogue: Catalogue, faults: FaultCatalogue) -> str:
    """Return in one sentence for what and when a rule suspects its fault."""
    words = {one.name: one for one in rule_words(rule, catalogue, faults)}
    when = words["Suspected"]
    listed = f" {'; '.join(part.rstrip('.') for part in when.parts)}." if when.parts else ""
    return f"{_capital(words['For'].text.rstrip('.'))}: suspected {when.text}{listed}"


def _plain(text: str) -> str:
    return text.replace("`", "").strip()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]

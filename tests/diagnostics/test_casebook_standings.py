"""What the case book makes of severities that change and of rules that flap, told by findings alone."""

import yaml

from diagnostics.case import Case
from diagnostics.casebook import CaseBook
from diagnostics.faults import load_faults
from rules.findings import Finding, Observation
from rules.loader import load_rules
from rules.symbols import DeviceId

SERVER = DeviceId("acme", "server", "s1")
MINUTE = 60_000
HOT = {
    "id": "hot",
    "fault": "cpu.overheating",
    "when": "cpu.temperature > 95",
    "severity": "major",
    "severity_when": {"critical": "cpu.temperature > 100", "minor": "cpu.load > 90"},
    "flapping": {"window": "1h", "start": 4, "stop": 1},
}


class Book:
    """A case book that findings are told to, minute by minute; orders are opened for every verdict."""

    def __init__(self, folder, *entries):
        path = folder / "pack.yaml"
        path.write_text(yaml.safe_dump({"pack": "book", "rules": list(entries)}))
        self.rules = {rule.id: rule for rule in load_rules([path]).rules}
        self.book = CaseBook(self.rules.values(), load_faults())
        self.decisions, self.events, self.severities, self.commands = [], [], [], []
        self.case = None

    def find(self, kind, minute, rule="hot", *, severity="major", ways=(), changes=0, value=97.0):
        at = minute * MINUTE
        seen = (Observation("cpu.temperature", at, value, 95.0),)
        self.book.find(Finding(kind, 0, at, at, self.rules[rule], SERVER, "", ways, seen, severity, changes))
        self._take()

    def answer(self, state, minute):
        body = {"id": self.commands[-1].id, "state": state}
        assert self.book.reply(SERVER, body, minute * MINUTE)
        self._take()

    def _take(self):
        for verdict in self.book.take_verdicts():
            self.book.open_order(verdict, "SO-1", "opened")
        journal = self.book.take_journal()
        self.decisions += journal.decisions
        self.events += [event.event for event in journal.events]
        self.severities += [change for change in journal.changes if change.severity is not None]
        self.commands += journal.commands
        for case in journal.cases.values():
            self.case = case

    def reasons(self):
        return [decision.reason.value for decision in self.decisions]

    def restart(self):
        """Go on in another book, from what was saved."""
        saved = [case.model_dump_json() for case in self.book.snapshot()]
        flapping = self.book.flapping()
        self.book = CaseBook(self.rules.values(), load_faults())
        self.book.restore([Case.model_validate_json(text) for text in saved], flapping)


def test_a_case_begins_with_the_severity_of_the_finding(tmp_path):
    book = Book(tmp_path, HOT)
    book.find("suspected", 0, severity="critical")
    assert book.case.severity == "critical"
    assert "severity_changed" not in book.reasons()


def test_a_severity_that_changes_reaches_the_case_its_order_and_the_ledger(tmp_path):
    book = Book(tmp_path, HOT)
    book.find("suspected", 0)
    book.find("severity", 3, severity="critical", value=101.0)
    assert book.case.severity == "critical"
    assert [(s.order_id, s.severity, s.at) for s in book.severities] == [("SO-1", "critical", 3 * MINUTE)]
    note = book.decisions[-1]
    assert (note.outcome, note.reason.value) == ("note", "severity_changed")
    assert note.text == ("From major to critical: rule hot finds cpu.temperature > 100; cpu.temperature 101.")
    assert note.values == {"severity_before": "major", "severity": "critical", "cpu.temperature": 101.0}
    assert book.events == ["suspected", "confirmed"]  # the file of cases has no further events
    book.find("severity", 5, severity="major")
    assert book.case.severity == "major"
    assert book.decisions[-1].text.startswith("From critical to major: rule hot finds nothing that makes")


def test_of_several_rules_the_most_severe_counts(tmp_path):
    other = {"id": "slow", "fault": "cpu.overheating", "when": "cpu.load > 90", "severity": "minor"}
    book = Book(tmp_path, HOT, other)
    book.find("suspected", 0, "slow", severity="minor")
    book.find("suspected", 1, "hot", severity="critical")
    assert book.case.severity == "critical"
    assert book.decisions[-2].text == (
        "From minor to critical: rule hot suspects it and says critical; cpu.temperature 97."
    )
    book.find("severity", 2, "slow", severity="major")
    assert book.case.severity == "critical"
    book.find("cleared", 3, "hot", severity="critical")
    assert book.case.severity == "major"
    assert "rule hot no longer suspects it" in book.decisions[-1].text
    book.find("cleared", 4, "slow")
    assert (book.case.state, book.case.severity) == ("cleared", "major")
    assert [s.severity for s in book.severities] == ["critical", "major"]


def flap(book, **words):
    """Four changes within an hour; the fourth tells that the rule flaps."""
    book.find("suspected", 0, **words)
    book.find("cleared", 5)
    book.find("suspected", 10, **words)
    book.find("cleared", 15)
    book.find("flapping", 15, changes=4)


HELD = HOT | {"confirm": {"any_of": [{"held": "30m"}]}}
PROBED = HOT | {"confirm": {"any_of": [{"probe": "thermal.test"}]}}


def test_a_rule_that_flaps_confirms_nothing_and_the_ledger_says_so_once(tmp_path):
    book = Book(tmp_path, HELD)
    flap(book, ways=(False,))
    said = len(book.decisions)
    book.find("suspected", 20, ways=(False,), changes=5)
    book.find("ways", 50, ways=(True,))
    assert (book.case.state, book.case.reason, book.case.order_id) == ("suspected", "flapping", None)
    assert book.case.standings["hot"].flapping
    assert book.reasons()[said:] == ["waiting_confirmation", "flapping"]
    why = book.decisions[-1]
    assert (why.outcome, why.values) == ("pending", {"changes": 5})
    assert why.text == (
        "Rule hot changed 5 times between suspected and cleared within 1h. It comes and goes too often to be "
        "believed: no order until it is steady."
    )


def test_when_it_is_steady_it_is_judged_as_it_stands(tmp_path):
    book = Book(tmp_path, HELD)
    flap(book, ways=(False,))
    book.find("suspected", 20, ways=(False,))
    book.find("ways", 50, ways=(True,))
    book.restart()
    book.find("steady", 80, ways=(True,), changes=1)
    assert book.reasons()[-2:] == ["steady", "confirmed"]
    assert (book.case.order_id, book.case.confirmed_at) == ("SO-1", 80 * MINUTE)
    assert book.decisions[-2].text.startswith("Rule hot is steady again: it changed once within 1h.")


def test_what_is_steady_but_not_confirmed_waits_on(tmp_path):
    book = Book(tmp_path, HELD)
    flap(book, ways=(False,))
    book.find("suspected", 70, ways=(False,))
    book.find("steady", 80, ways=(False,), changes=1)
    assert (book.case.reason, book.case.order_id) == ("waiting_confirmation", None)
    book.find("ways", 100, ways=(True,))
    assert book.case.order_id == "SO-1"


def test_it_flaps_still_after_a_restart_between_two_suspicions(tmp_path):
    book = Book(tmp_path, HELD)
    flap(book, ways=(False,))
    book.restart()
    book.find("suspected", 20, ways=(True,))
    assert (book.case.state, book.case.reason) == ("suspected", "flapping")
    book.find("cleared", 25, ways=(False,))
    assert book.events[-2:] == ["suspected", "cleared"]
    book.find("steady", 90, ways=(False,), changes=0)
    book.find("suspected", 95, ways=(True,))
    assert book.case.state == "confirmed"


def test_what_is_confirmed_stays_while_its_rule_flaps(tmp_path):
    book = Book(tmp_path, HOT)
    book.find("suspected", 0)
    book.find("flapping", 1, changes=4)
    assert (book.case.state, book.case.order_id) == ("confirmed", "SO-1")
    assert (book.decisions[-1].reason, book.decisions[-1].outcome) == ("flapping", "note")
    assert book.decisions[-1].text.endswith("what is confirmed stays.")


def test_no_self_test_is_asked_for_while_a_rule_flaps_but_once_it_is_steady(tmp_path):
    book = Book(tmp_path, PROBED)
    flap(book, ways=(False,))
    asked = len(book.commands)
    book.find("suspected", 20, ways=(False,))
    assert len(book.commands) == asked
    book.find("steady", 80, ways=(False,), changes=1)
    assert len(book.commands) == asked + 1
    book.answer("failed", 81)
    assert book.case.order_id == "SO-1"


def test_an_answer_that_came_while_the_rule_flapped_counts_once_it_is_steady(tmp_path):
    book = Book(tmp_path, PROBED)
    book.find("suspected", 0, ways=(False,))
    book.find("flapping", 1, changes=4)
    book.answer("failed", 2)
    assert book.case.order_id is None
    book.find("steady", 80, ways=(False,), changes=1)
    assert len(book.commands) == 1
    assert book.case.order_id == "SO-1"


def test_another_rule_confirms_what_one_that_flaps_may_not(tmp_path):
    other = {"id": "slow", "fault": "cpu.overheating", "when": "cpu.load > 90"}
    book = Book(tmp_path, HELD, other)
    book.find("suspected", 0, ways=(False,))
    book.find("flapping", 1, changes=4)
    book.find("suspected", 2, "slow")
    assert book.case.order_id == "SO-1"

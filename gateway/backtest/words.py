"""A backtest's result in words, as the command line and the console show it."""

from collections.abc import Iterator
from typing import NamedTuple

from gateway.backtest.lookback import LONGEST_WARM_UP_MS
from gateway.backtest.result import BacktestResult, Score, SideResult
from rules.times import SECOND_MS, format_duration

HEADINGS = ("", "today", "candidate")

Line = tuple[str, str, str]

_WARMED_UP = (
    "Reading began at {began}, so that windows are filled; of what happened before {start} "
    "nothing is counted."
)
_NOTHING_BEFORE = "The history has nothing before {start}: windows began empty, on both sides."
_LOOKED_FURTHER = (
    "{number} rules look back further than the warm-up, {first} among them: on both sides they "
    "saw only what came since. Unless one is named it is {longest} at most."
)
_ASSUMED = (
    "Self tests that were not asked at that moment are taken to have come out as the same test of"
    " the same part did within a day of it: {today} today, {candidate} with the candidate."
)
_UNANSWERED = (
    "Self tests whose answers nobody knows are taken as not answered: {today} today, {candidate} "
    "with the candidate. Their cases waited for the deadline, then for the rule's other ways."
)
_REFUSED = (
    "Words of people about cases that there would not have been had no effect: {today} today, "
    "{candidate} with the candidate."
)

#: All of what is said that can be translated, for the console's catalogues.
TEXTS = (
    "rules",
    "cases",
    "orders",
    "cancelled again",
    "parts sent",
    "owners contacted",
    "self tests asked for",
    "answer assumed",
    "answer unknown",
    "labelled faults",
    "with an order",
    "true orders",
    "false orders",
    "precision",
    "recall",
    "median delay",
    _WARMED_UP,
    _NOTHING_BEFORE,
    _LOOKED_FURTHER,
    _ASSUMED,
    _UNANSWERED,
    _REFUSED,
)


class Note(NamedTuple):
    """A sentence and the values that are put into it; the sentence can be translated."""

    text: str
    values: dict[str, object]

    def __str__(self) -> str:
        """Return the sentence in English."""
        return self.text.format(**self.values)


def lines_of(today: SideResult, candidate: SideResult) -> Iterator[Line]:
    """Yield what is counted: its name, and its number on both sides."""
    sides = (today, candidate)

    def line(name: str, *values: object) -> Line:
        one, other = (f"{value:,}" if isinstance(value, int) else str(value) for value in values)
        return name, one, other

    yield line("rules", *(side.rules for side in sides))
    yield line("cases", *(sum(side.cases.values()) for side in sides))
    for state in _names(today.cases, candidate.cases):
        yield line(f"  {state}", *(side.cases.get(state, 0) for side in sides))
    yield line("orders", *(side.orders for side in sides))
    for fault in _names(today.orders_by_fault, candidate.orders_by_fault):
        yield line(f"  {fault}", *(side.orders_by_fault.get(fault, 0) for side in sides))
    if today.cancelled or candidate.cancelled:
        yield line("  cancelled again", *(side.cancelled for side in sides))
    yield line("parts sent", *(side.parts for side in sides))
    for currency in _names(today.value, candidate.value):
        yield line(f"  value, {currency}", *(f"{side.value.get(currency, 0.0):,.2f}" for side in sides))
    yield line("owners contacted", *(side.owners for side in sides))
    yield line("self tests asked for", *(side.probes.asked for side in sides))
    if any(side.probes.assumed for side in sides):
        yield line("  answer assumed", *(side.probes.assumed for side in sides))
    if any(side.probes.unanswered for side in sides):
        yield line("  answer unknown", *(side.probes.unanswered for side in sides))
    if today.score is not None and candidate.score is not None:
        yield from _score_lines(today.score, candidate.score)


def _score_lines(today: Score, candidate: Score) -> Iterator[Line]:
    def line(name: str, one: object, other: object) -> Line:
        return name, _shown(one), _shown(other)

    yield line("labelled faults", today.injected, candidate.injected)
    yield line("  with an order", today.ordered, candidate.ordered)
    yield line("true orders", today.true_orders, candidate.true_orders)
    yield line("false orders", today.false_orders, candidate.false_orders)
    yield line("precision", today.precision, candidate.precision)
    yield line("recall", today.recall, candidate.recall)
    yield line("median delay", _span(today.median_delay_s), _span(candidate.median_delay_s))


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}" if isinstance(value, float) else str(value)


def _span(seconds: float | None) -> str | None:
    return None if seconds is None else format_duration(round(seconds) * SECOND_MS)


def notes_of(result: BacktestResult) -> Iterator[Note]:
    """Yield what must be known of the figures."""
    if result.warm_up_messages:
        yield Note(
            _WARMED_UP,
            {"began": result.warm_up_from, "start": result.start},
        )
    else:
        yield Note(
            _NOTHING_BEFORE,
            {"start": result.start},
        )
    if result.looked_further:
        names = list(result.looked_further)
        yield Note(
            _LOOKED_FURTHER,
            {
                "number": len(names),
                "first": ", ".join(names[:3]),
                "longest": format_duration(LONGEST_WARM_UP_MS),
            },
        )
    probes = (result.today.probes, result.candidate.probes)
    if any(side.assumed for side in probes):
        yield Note(
            _ASSUMED,
            _both(*(side.assumed for side in probes)),
        )
    if any(side.unanswered for side in probes):
        yield Note(
            _UNANSWERED,
            _both(*(side.unanswered for side in probes)),
        )
    if result.today.refused or result.candidate.refused:
        yield Note(
            _REFUSED,
            _both(result.today.refused, result.candidate.refused),
        )


def _both(today: int, candidate: int) -> dict[str, object]:
    return {"today": today, "candidate": candidate}


def _names(*counts: dict[str, int] | dict[str, float]) -> list[str]:
    """Return the names that stand in any of the counts, in the order of the first that has them."""
    return list(dict.fromkeys(name for count in counts for name in count))

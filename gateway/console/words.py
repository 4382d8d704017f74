"""Plain words for people: reasons, states, values with their units, names of signals and of self tests."""

import math

from diagnostics.case import Case, CaseState
from diagnostics.decision import Reason, Scalar
from rules.signals import Catalogue
from rules.symbols import Channel

#: Why there is no order (yet), short enough for a list.
REASONS: dict[Reason, str] = {
    Reason.CONFIRMED: "confirmed",
    Reason.ALREADY_OPEN: "an order for it is open already",
    Reason.WAITING_CONFIRMATION: "waiting for confirmation",
    Reason.REFUTED_BY_PROBE: "the self test passed",
    Reason.REMEDIED_REMOTELY: "remedied remotely",
    Reason.BELOW_CONFIDENCE: "not sure enough",
    Reason.OUT_OF_WARRANTY_POLICY: "out of warranty, held by policy",
    Reason.IN_MAINTENANCE: "the device is in maintenance",
    Reason.INHIBITED_BY_PARENT: "explained by a fault above it",
    Reason.PART_OF_FLEET_INCIDENT: "part of a shared incident",
    Reason.FLAPPING: "comes and goes too often",
    Reason.RECENTLY_REPAIRED: "repaired a short while ago",
    Reason.DISMISSED_BY_ENGINEER: "dismissed by an engineer",
    Reason.ACKNOWLEDGED: "seen",
    Reason.ASSIGNED: "assigned",
    Reason.COMMENTED: "comment",
    Reason.ORDER_ENDED: "its order has ended",
    Reason.RULE_ON_PROBATION: "the rule is on probation",
    Reason.CLEARED_BEFORE_CONFIRMATION: "went away before it was confirmed",
    Reason.DEVICE_UNKNOWN_POLICY: "the device is not registered, held by policy",
    Reason.NEVER_AN_ORDER: "the owner mends it, never an order",
    Reason.SUSPECTED: "suspected, not confirmed yet",
    Reason.CLEARED: "went away",
    Reason.REOPENED: "came back",
    Reason.PROBE_SENT: "waiting for the self test",
    Reason.PROBE_RUNNING: "the self test is running",
    Reason.PROBE_INCONCLUSIVE: "the self test said nothing",
    Reason.PROBE_EXPIRED: "the self test was not answered in time",
    Reason.STEADY: "steady again",
    Reason.SEVERITY_CHANGED: "its severity changed",
    Reason.RULE_WITHDRAWN: "its rule was changed or taken away",
}

OUTCOMES = {
    "order": "order",
    "no_order": "no order",
    "pending": "waiting",
    "note": "noted",
}

CLASSES = {"phone": "phone", "pc": "PC", "server": "server", "appliance": "appliance"}


#: Stands where there is nothing to show.
NONE = "\N{EN DASH}"


def words_of(name: str) -> str:
    """Return a name with underscores and dots as words.

    >>> words_of("in_warranty")
    'in warranty'
    """
    return name.replace("_", " ").replace(".", " ")


def action_words(action: str) -> str:
    """Return what a self test is called.

    >>> action_words("disk.self_test")
    'disk self test'
    """
    return words_of(action)


def number_words(value: float) -> str:
    r"""Return a number with as many digits as a reader can use.

    >>> [ascii(number_words(value)).strip("'") for value in (24.0, 1234567.0, 61.53, 0.78314, -18.4, 1e-7)]
    ['24', '1,234,567', '61.5', '0.783', '\\u221218.4', '1e-07']
    """
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else "without bound"
    if abs(value) >= 1e15:
        text = f"{value:.3g}"
    elif value == int(value) or abs(value) >= 1000:
        text = f"{value:,.0f}"
    elif abs(value) >= 10:
        text = f"{value:.1f}"
    elif abs(value) >= 0.001:
        text = f"{value:.3g}"
    else:
        text = f"{value:.0e}"
    return text.replace("-", "\N{MINUS SIGN}", 1) if value < 0 else text


def value_words(value: Scalar) -> str:
    """Return a value without its unit; an unknown one says so."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else number_words(value)


def unit_of(catalogue: Catalogue, signal: str) -> str:
    """Return the unit of a signal's numbers, ``""`` when it has none or is not in the catalogue."""
    known = catalogue.get(Channel.parse(signal).signal)
    return known.unit if known else ""


def signal_words(catalogue: Catalogue, signal: str) -> str:
    """Return what a signal measures, with its component: ``temperature of the drive, sda``."""
    channel = Channel.parse(signal)
    known = catalogue.get(channel.signal)
    title = known.title.partition(" (")[0] if known else words_of(channel.signal)
    return f"{title}, {channel.component}" if channel.component else title


def upper_first(text: str) -> str:
    """Return a text with its first letter large."""
    return text[:1].upper() + text[1:]


def fact_words(name: str) -> str:
    """Return what a fact of a device is called."""
    return "Operating system" if name == "os" else upper_first(words_of(name))


def class_words(device_class: str) -> str:
    """Return what a class of devices is called in a sentence."""
    return CLASSES.get(device_class, device_class)


def why_words(case: Case) -> str:
    """Return in a few words why a case has an order, or why not (yet)."""
    pending = next((probe for probe in case.probes if probe.pending), None)
    if case.state is CaseState.SUSPECTED and pending is not None:
        return f"waiting for the {action_words(pending.action)}"
    if case.order_id is None and case.reason is Reason.CONFIRMED:
        return "confirmed, order not opened yet"
    return REASONS[case.reason]


def state_words(state: str) -> str:
    """Return an order's state as words.

    >>> state_words("inProgress")
    'in progress'
    """
    return "in progress" if state == "inProgress" else state

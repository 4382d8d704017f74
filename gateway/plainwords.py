"""Plain words that pages and papers share: values with their units, names of signals and of self tests."""

import math
import unicodedata

from diagnostics.decision import Scalar
from rules.signals import Catalogue
from rules.symbols import Channel

#: Stands where there is nothing to show.
NONE = "\N{EN DASH}"

_NOT_SHOWN = {"Cc", "Cf", "Cs", "Co", "Cn"}


def harmless(text: str) -> str:
    r"""Return a text in which nothing is invisible or turns the direction of writing, line ends included.

    Devices send any character: controls, surrogates, unassigned and direction marks become U+FFFD.

    >>> ascii(harmless("x\x1b[31m"))
    "'x\\ufffd[31m'"
    """
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(one) in _NOT_SHOWN else one for one in text
    )


def shown(text: str) -> str:
    r"""Return a text as one line that is `harmless`; blank space of every kind becomes one space.

    >>> shown("a\n b")
    'a b'
    """
    return harmless(" ".join(text.split()))


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


def with_unit(value: Scalar, unit: str) -> str:
    """Return a value with its unit, where it is a number.

    >>> with_unit(0.0, "1/min"), with_unit(81.25, "V"), with_unit(False, "V"), with_unit(3.0, "")
    ('0 a minute', '81.2 V', 'no', '3')
    """
    words = value_words(value)
    if not unit or isinstance(value, bool) or not isinstance(value, int | float):
        return words
    return f"{words} {'a minute' if unit == '1/min' else unit}"


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

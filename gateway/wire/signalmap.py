"""What others call a reading, and what we call it: names by pattern, units by conversion.

A name that no pattern takes keeps its own, made fit for a key, so that nothing is lost: such a reading is
stored, shown, and may be asked for by a rule whose pack declares it.
"""

import re
import zlib
from collections.abc import Mapping
from functools import lru_cache

from gateway.wire.documents import Broken
from gateway.wire.quantities import converted, in_base_unit
from gateway.wire.reasons import QuarantineReason, Unusable, shown
from gateway.wire.values import is_key
from rules.signals import Catalogue, load_catalogue
from rules.symbols import Channel

_FOREIGN = re.compile(r"[^A-Za-z0-9_.:-]+", re.ASCII)
_SAYS_SOMETHING = re.compile(r"[A-Za-z0-9]", re.ASCII)
_PLACE = re.compile(r"\{([1-9])\}")
_MOST = 64  # characters of a signal's and of a component's name
_REMEMBERED = 20_000
_LONGEST_NAME = 400  # characters; a longer name is compared with no pattern and not remembered

#: Words for yes and no, of signals that are booleans (availability, switches, contacts).
_TRUE = frozenset({"on", "true", "yes", "open", "opened", "online", "ok", "1", "active", "detected", "wet"})
_FALSE = frozenset({"off", "false", "no", "closed", "offline", "0", "inactive", "clear", "dry"})


class SignalMap:
    """Turns a foreign name and its value into a key and a value of ours.

    Args:
        patterns: foreign name to ``signal``, ``signal@component`` or ``-`` for what is of no interest. In a
            foreign name ``*`` stands for any text without ``/``, ``**`` for any text; in what it becomes
            ``{1}``, ``{2}``... stand for what they stood for; ``signal@`` is of the device itself, whichever
            part the message names. The first that fits counts. Either side may
            end in ``[unit]``: ``"temp [K]" = "cpu.temperature"`` says which unit comes.
        catalogue: says which unit and kind a signal has.

    Raises:
        ValueError: what a name becomes is no key; the text names it, and says what was expected.
    """

    def __init__(self, patterns: Mapping[str, str] | None = None, catalogue: Catalogue | None = None) -> None:
        self.catalogue = catalogue or load_catalogue()
        self._patterns = [_compiled(name, key) for name, key in (patterns or {}).items()]
        self._key = lru_cache(maxsize=_REMEMBERED)(self._find)

    def key(self, name: str, component: str = "") -> tuple[str, str | None] | None:
        """Return the key for a foreign name and the unit its pattern declares; None for no interest.

        `component` is used where the pattern, or the name kept as it is, has none of its own.
        """
        if len(name) + len(component) > _LONGEST_NAME:
            return _kept(name, component)
        return self._key(name, component)

    def names(self, name: str) -> bool:
        """Say whether a pattern takes a foreign name."""
        return len(name) <= _LONGEST_NAME and any(pattern.fullmatch(name) for pattern, _, _ in self._patterns)

    def place(
        self,
        into: dict[str, object],
        name: str,
        value: object,
        *,
        unit: str | None = None,
        component: str = "",
    ) -> None:
        """Put a reading under our name and in our unit into `into`; a ``-`` name is passed over.

        Args:
            into: values of an `Extract`.
            name: what the format calls the reading.
            value: number, boolean, text or None as found; `Broken` stays.
            unit: what the message says it is in; None or empty where it says nothing. A pattern's own unit
                wins.
            component: which of several like parts, made fit for a key.

        Raises:
            Unusable: reason wrong_unit: the unit cannot become the signal's.
        """
        found = self.key(name, component)
        if found is None:
            return
        key, declared = found
        into[key] = self._in_our_terms(key, value, declared or unit)

    def _in_our_terms(self, key: str, value: object, unit: str | None) -> object:
        signal = self.catalogue.get(Channel.parse(key).signal)
        if isinstance(value, Broken) or value is None:
            return value
        if signal is not None and signal.kind == "boolean" and isinstance(value, str):
            return _as_boolean(value)
        if not unit or isinstance(value, bool | str) or not isinstance(value, int | float):
            return value
        if signal is None:
            return in_base_unit(value, unit)
        if signal.kind != "number":
            return value
        number = converted(value, unit, signal.unit)
        if number is None:
            raise Unusable(
                QuarantineReason.WRONG_UNIT,
                f"{key}: expected a unit that becomes {signal.unit or 'a plain number'}, got {shown(unit)}",
            )
        return number

    def _find(self, name: str, component: str) -> tuple[str, str | None] | None:
        for pattern, key, unit in self._patterns:
            match = pattern.fullmatch(name)
            if match is not None and key == "-":
                return None
            if match is not None:
                own = "" if key.endswith("@") else component
                return _with_component(_fill(key.removesuffix("@"), match), own), unit
        return _kept(name, component)


def fit(text: str) -> str:
    """Return a text as a name of ours: what cannot stand in it becomes ``-``, at most 64 characters.

    Empty when no letter and no digit is left.

    Of a longer one the beginning is kept, and a checksum of the whole, so that names that differ further on
    do not become one.

    >>> fit(" CPU Temp (°C)/1 ")
    'CPU-Temp-C-1'
    """
    fitted = _FOREIGN.sub("-", text).strip("-")
    if not _SAYS_SOMETHING.search(fitted):
        return ""
    if len(fitted) <= _MOST:
        return fitted
    return f"{fitted[: _MOST - 9]}-{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"


def _kept(name: str, component: str) -> tuple[str, None]:
    """Return the key for a name that no pattern takes."""
    return _with_component(fit(name.strip("/").replace("/", ".")) or "value", component), None


def _with_component(key: str, component: str) -> str:
    signal, _, own = key.partition("@")
    part = fit(own or component)
    signal = fit(signal) or "value"
    return f"{signal}@{part}" if part else signal


def _fill(key: str, match: "re.Match[str]") -> str:
    def taken(place: "re.Match[str]") -> str:
        return fit(match[int(place[1])])

    signal, at, component = key.partition("@")
    return f"{_PLACE.sub(taken, signal)}{at}{_PLACE.sub(taken, component)}"


def _compiled(name: str, key: str) -> tuple["re.Pattern[str]", str, str | None]:
    unit = None
    name, declared = _split_unit(name)
    key, declared_after = _split_unit(key)
    unit = declared or declared_after
    parts = re.split(r"(\*\*|\*)", name)
    wild = {"*": "([^/]*)", "**": "(.*)"}
    pattern = re.compile("".join(wild.get(part) or re.escape(part) for part in parts), re.DOTALL)
    beyond = [place[0] for place in _PLACE.finditer(key) if int(place[1]) > pattern.groups]
    if beyond:
        raise ValueError(
            f"{name}: expected places up to {{{pattern.groups}}}, as many as it has *, got {beyond[0]}"
        )
    if key != "-" and not is_key(_PLACE.sub("x", key.removesuffix("@"))):
        raise ValueError(f"{name}: expected SIGNAL, SIGNAL@COMPONENT, SIGNAL@ or -, got {shown(key)}")
    return pattern, key, unit


def _split_unit(text: str) -> tuple[str, str | None]:
    """Return a text without the unit in brackets at its end, and the unit."""
    found = re.fullmatch(r"(.*?)\s+\[([^\[\]]*)\]", text, re.DOTALL)
    return (found[1], found[2]) if found else (text, None)


def _as_boolean(word: str) -> object:
    lowered = word.strip().lower()
    if lowered in _TRUE:
        return True
    return False if lowered in _FALSE else word

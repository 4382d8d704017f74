"""What devices send again and again: the same keys with the same types, judged once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gateway.wire.values import is_key
from rules.batch import Bool, Int8, Int32, Int64, Kind
from rules.signals import Catalogue
from rules.symbols import Channel, Symbols

Keys = tuple[str, ...]

_KIND_OF_TYPE = {float: Kind.NUMBER, bool: Kind.BOOLEAN, str: Kind.TEXT, type(None): Kind.UNKNOWN}
_MAX_LAYOUTS = 20_000  # some 400 bytes each


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """How a message of one shape becomes columns.

    Attributes:
        numbers: the channels.
        flags: positions of numbers that stand for booleans and must be 0 or 1.
        texts: positions of texts, which have to be numbered.
    """

    numbers: frozenset[int]
    flags: tuple[int, ...]
    texts: tuple[int, ...]


class Layouts:
    """The layouts seen so far by number; forgotten all at once when senders make too many.

    Attributes:
        all: by number.
        plain: numbers of the layouts whose values are all numbers, by their keys.
        typed: numbers of layouts by keys and types.
    """

    def __init__(self, symbols: Symbols, catalogue: Catalogue) -> None:
        self._symbols = symbols
        self._catalogue = catalogue
        self.all: list[Layout] = []
        self.plain: dict[Keys, int] = {}
        self.typed: dict[tuple[Keys, tuple[type, ...]], int] = {}
        self._channels: list[int] = []
        self._kinds: list[int] = []
        self._starts: list[int] = [0]
        self._columns: tuple[Int32, Int8, Int64, Bool] | None = None

    @property
    def full(self) -> bool:
        """Whether there are so many that they should be forgotten before more are planned."""
        return len(self.all) >= _MAX_LAYOUTS

    def plan(self, keys: Keys, types: tuple[type, ...], known: frozenset[int], limit: int) -> int | None:
        """Return the number of a new layout, None when its messages have to be looked at value by value.

        That is so when a key or a kind is wrong, and when the device, which has named the channels `known`
        so far, would come to have more than `limit`.
        """
        kinds = [self._kind(key, type_) for key, type_ in zip(keys, types, strict=True)]
        judged = [kind for kind in kinds if kind is not None]
        if len(judged) < len(kinds) or len(known) + self.count_new(keys, known) > limit:
            return None
        channels = [self._symbols.channel(key) for key in keys]
        number = len(self.all)
        self.all.append(
            Layout(
                numbers=frozenset(channels),
                flags=tuple(
                    position
                    for position, (kind, type_) in enumerate(zip(judged, types, strict=True))
                    if kind is Kind.BOOLEAN and type_ is float
                ),
                texts=tuple(position for position, kind in enumerate(judged) if kind is Kind.TEXT),
            )
        )
        self._channels += channels
        self._kinds += judged
        self._starts.append(len(self._channels))
        self._columns = None
        self.typed[keys, types] = number
        if all(type_ is float for type_ in types):
            self.plain[keys] = number
        return number

    def columns(self) -> tuple[Int32, Int8, Int64, Bool]:
        """Return channels and kinds of all layouts one after the other, where each begins, who is unsettled.

        [C] int32, [C] int8, [L + 1] int64, [L] bool: those whose values cannot be vouched for unseen.
        """
        if self._columns is None:
            self._columns = (
                np.array(self._channels, dtype=np.int32),
                np.array(self._kinds, dtype=np.int8),
                np.array(self._starts, dtype=np.int64),
                np.array([bool(layout.flags or layout.texts) for layout in self.all], dtype=np.bool_),
            )
        return self._columns

    def count_new(self, keys: Sequence[str], known: frozenset[int]) -> int:
        """Return how many of the keys name channels that are not among `known`; none is given a number."""
        index = self._symbols.channels.index
        return sum(index.get(Channel.parse(key), -1) not in known for key in keys)

    def _kind(self, key: str, type_: type) -> Kind | None:
        """Return how a value of that type is kept under that key; None when it depends, or cannot be."""
        if not is_key(key):
            return None
        if type_ is type(None):
            return Kind.UNKNOWN
        signal = self._catalogue.get(Channel.parse(key).signal)
        if signal is None:
            return _KIND_OF_TYPE.get(type_)
        match signal.kind:
            case "number":
                return Kind.NUMBER if type_ in (float, bool) else None
            case "boolean":
                return Kind.BOOLEAN if type_ in (float, bool) else None
            case "text":
                return Kind.TEXT if type_ is str else None

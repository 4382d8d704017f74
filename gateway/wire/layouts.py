"""What devices send again and again: the same keys with the same types, judged once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gateway.wire.values import is_key
from rules.batch import Kind
from rules.signals import Catalogue
from rules.symbols import Channel, Symbols

#: Keys and types of a message's values, in order.
Shape = tuple[tuple[str, ...], tuple[type, ...]]

_KIND_OF_TYPE = {float: Kind.NUMBER, bool: Kind.BOOLEAN, str: Kind.TEXT, type(None): Kind.UNKNOWN}
_MAX_LAYOUTS = 20_000  # some 400 bytes each


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """How a message of one shape becomes columns.

    Attributes:
        numbers: the channels.
        channels: the same as the bytes of an int32 column.
        kinds: bytes of an int8 column.
        flags: positions of numbers that stand for booleans and must be 0 or 1.
        texts: positions of texts, which have to be numbered.
    """

    numbers: frozenset[int]
    channels: bytes
    kinds: bytes
    flags: tuple[int, ...]
    texts: tuple[int, ...]


class Layouts:
    """The layouts seen so far; forgotten all at once when a sender makes too many."""

    def __init__(self, symbols: Symbols, catalogue: Catalogue) -> None:
        self._symbols = symbols
        self._catalogue = catalogue
        self._layouts: dict[Shape, Layout] = {}
        self.get = self._layouts.get

    def plan(self, shape: Shape, known: frozenset[int], limit: int) -> Layout | None:
        """Return the layout of a shape, None when its messages have to be looked at value by value.

        That is so when a key or a kind is wrong, and when the device, which has named the channels `known`
        so far, would come to have more than `limit`.
        """
        keys, types = shape
        kinds = [self._kind(key, type_) for key, type_ in zip(keys, types, strict=True)]
        judged = [kind for kind in kinds if kind is not None]
        if len(judged) < len(kinds) or len(known) + self.count_new(keys, known) > limit:
            return None
        numbers = [self._symbols.channel(key) for key in keys]
        layout = Layout(
            numbers=frozenset(numbers),
            channels=np.array(numbers, dtype=np.int32).tobytes(),
            kinds=np.array(judged, dtype=np.int8).tobytes(),
            flags=tuple(
                position
                for position, (kind, type_) in enumerate(zip(judged, types, strict=True))
                if kind is Kind.BOOLEAN and type_ is float
            ),
            texts=tuple(position for position, kind in enumerate(judged) if kind is Kind.TEXT),
        )
        if len(self._layouts) >= _MAX_LAYOUTS:
            self._layouts.clear()
        self._layouts[shape] = layout
        return layout

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

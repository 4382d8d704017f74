"""Tables of the registry's database as mappings, and mappings before others."""

from collections.abc import Callable, Hashable, ItemsView, Iterator, Mapping, Sequence, ValuesView
from dataclasses import dataclass
from datetime import date
from typing import Generic, Protocol, TypeVar

from diagnostics.orders.registry import DeviceEntry, Owner, SiteEntry
from rules.symbols import DeviceId

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Row = Sequence[str]


class Asked(Protocol):
    """What answers queries."""

    def one(self, query: str, values: Sequence[str] = ()) -> tuple[str, ...] | None:
        """Return a query's first row, None when it has none."""
        ...

    def all(self, query: str, values: Sequence[str] = ()) -> Iterator[tuple[str, ...]]:
        """Yield a query's rows."""
        ...


@dataclass(frozen=True, slots=True)
class Rows(Generic[Key, Value]):
    """How a table is read.

    Attributes:
        columns: what is selected; the key's come first.
        source: what it is selected from.
        keys: columns of the key.
        key: of a row.
        value: what a row becomes.
    """

    columns: str
    source: str
    keys: tuple[str, ...]
    key: Callable[[Row], Key]
    value: Callable[[Row], Value]

    @property
    def one(self) -> str:
        """The query for one row."""
        asked = " AND ".join(f"{key} = ?" for key in self.keys)
        return f"SELECT {self.columns} FROM {self.source} WHERE {asked}"  # noqa: S608  (names of ours)

    @property
    def every(self) -> str:
        """The query for all rows in the order of their keys."""
        return f"SELECT {self.columns} FROM {self.source} ORDER BY {', '.join(self.keys)}"  # noqa: S608

    @property
    def every_key(self) -> str:
        """The query for all keys in their order."""
        table, keys = self.source.partition(" ")[0], ", ".join(self.keys)
        return f"SELECT {keys} FROM {table} ORDER BY {keys}"  # noqa: S608

    @property
    def count(self) -> str:
        """The query for how many there are."""
        return f"SELECT count(*) FROM {self.source.partition(' ')[0]}"  # noqa: S608


def _device(row: Row) -> DeviceEntry:
    tenant, device_class, device, model, serial, firmware, parent, owner, site, bought = row
    day = date.fromisoformat(bought) if bought else None
    named = DeviceId(tenant, device_class, device)
    return DeviceEntry(named, model, serial, firmware, parent, owner, site, day)


#: The last column of owners and sites says in which region their personal data stands.
OWNERS: Rows[str, Owner] = Rows(
    "owner, name, contact, language, time_zone, home",
    "owners LEFT JOIN persons USING (owner)",
    ("owner",),
    lambda row: row[0],
    lambda row: Owner(*row[:5]),
)
SITES: Rows[str, SiteEntry] = Rows(
    "site, address, country, time_zone, postal_code, region, home",
    "sites LEFT JOIN addresses USING (site)",
    ("site",),
    lambda row: row[0],
    lambda row: SiteEntry(*row[:6]),
)
DEVICES: Rows[DeviceId, DeviceEntry] = Rows(
    "tenant, class, device, model, serial, firmware, parent, owner, site, bought",
    "devices",
    ("tenant", "class", "device"),
    lambda row: DeviceId(*row[:3]),
    _device,
)


class Lookup(Mapping[Key, Value]):
    """A table as a mapping that reads a row when it is asked for it."""

    def __init__(self, database: Asked, rows: Rows[Key, Value]) -> None:
        self.database, self._rows = database, rows
        self._one = rows.one

    def __getitem__(self, key: Key) -> Value:
        values = tuple(map(str, key)) if isinstance(key, tuple) else (str(key),)
        row = self.database.one(self._one, values)
        if row is None:
            raise KeyError(key)
        return self._rows.value(row)

    def __iter__(self) -> Iterator[Key]:
        for row in self.database.all(self._rows.every_key):
            yield self._rows.key(row)

    def __len__(self) -> int:
        row = self.database.one(self._rows.count)
        return int(row[0]) if row else 0

    def every(self) -> Iterator[tuple[Key, Value]]:
        """Yield keys and values in one go."""
        for row in self.database.all(self._rows.every):
            yield self._rows.key(row), self._rows.value(row)

    def items(self) -> ItemsView[Key, Value]:
        """Return keys and values, which are read in one go."""
        return _Items(self)

    def values(self) -> ValuesView[Value]:
        """Return the values, which are read in one go."""
        return _Values(self)


class _Items(ItemsView[Key, Value]):
    def __init__(self, lookup: Lookup[Key, Value]) -> None:
        super().__init__(lookup)
        self._lookup = lookup

    def __iter__(self) -> Iterator[tuple[Key, Value]]:
        return self._lookup.every()


class _Values(ValuesView[Value]):
    def __init__(self, mapping: Mapping[Key, Value]) -> None:
        super().__init__(mapping)
        self._items = mapping.items()

    def __iter__(self) -> Iterator[Value]:
        return (value for _, value in self._items)


class Layered(Mapping[Key, Value]):
    """Two mappings of which the first goes before the second."""

    def __init__(self, first: Mapping[Key, Value], second: Mapping[Key, Value]) -> None:
        self.first, self.second = first, second

    def __getitem__(self, key: Key) -> Value:
        found = self.first.get(key)
        return self.second[key] if found is None else found

    def __iter__(self) -> Iterator[Key]:
        yield from self.first
        yield from (key for key in self.second if key not in self.first)

    def __len__(self) -> int:
        return len(self.second) + sum(key not in self.second for key in self.first)

    def items(self) -> ItemsView[Key, Value]:
        """Return keys and values, those of the second read in one go."""
        return _LayeredItems(self, self.first, self.second)

    def values(self) -> ValuesView[Value]:
        """Return the values, those of the second read in one go."""
        return _Values(self)


class _LayeredItems(ItemsView[Key, Value]):
    def __init__(
        self, whole: Mapping[Key, Value], first: Mapping[Key, Value], second: Mapping[Key, Value]
    ) -> None:
        super().__init__(whole)
        self.first, self.second = first, second

    def __iter__(self) -> Iterator[tuple[Key, Value]]:
        yield from self.first.items()
        yield from ((key, value) for key, value in self.second.items() if key not in self.first)

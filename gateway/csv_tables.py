"""CSV tables of the user's: read cell by cell, and every problem told with file, line and column."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TypeVar
from zoneinfo import available_timezones

from diagnostics.orders.calendars import WorkingHours, parse_hours
from diagnostics.orders.countries import COUNTRIES
from gateway.csv_cells import has_guarded, plain
from gateway.errors import OutsideError
from rules.times import DAY_MS, parse_duration

Word = TypeVar("Word", bound=str)

_PIECE = 1_000  # records that are read at a time

#: Separates several values in one cell.
LIST_SEPARATOR = ";"

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")  # contract section 1
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,6})?")
_COUNT = re.compile(r"\d{1,9}")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[A-Za-z0-9]{2,8})*")  # the shape of BCP 47
_KIND = re.compile(r"[a-z][a-z0-9_]*")
_TARIFF = re.compile(r"\d{4}[. ]?\d{2}([. ]?\d{2}){0,3}")  # HS of 6 digits, national ones of up to 12
_POSTAL_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{0,11}")
_AREA = re.compile(r"(?:([A-Z]{2}):)?(?:([A-Z0-9]{0,10}\*)|([A-Z0-9]{1,10})(?:-([A-Z0-9]{1,10}))?)")
_REGION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")  # the shape of ISO 3166-2
_RESIDENCE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_LINE_END = re.compile(r"\r\n|\r|\n")
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a file may have; `required` must be there and filled in."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Both."""
        return self.required + self.optional


class Row:
    """One record; reading a cell that is wrong notes the problem and gives nothing.

    Args:
        file: and `number`: where it stands.
        cells: by column, without the space around them.
        problems: where what is wrong is noted.
    """

    def __init__(self, file: object, number: int, cells: dict[str, str], problems: list[str]) -> None:
        self._file, self._number = file, number
        self._cells = cells
        self._problems = problems
        self.good = True  #: no cell of it was wrong so far

    @property
    def cells(self) -> dict[str, str]:
        """Its cells by column, without the space around them."""
        return self._cells

    @property
    def line(self) -> str:
        """Where it stands, ``file:line``."""
        return f"{self._file}:{self._number}"

    @property
    def place(self) -> tuple[object, int]:
        """Its file and line."""
        return self._file, self._number

    def wrong(self, column: str, expected: str, got: str | None = None) -> None:
        """Note that a cell is not as expected; `got` in place of the cell's own text."""
        found = repr(self.text(column) or "") if got is None else got
        self._problems.append(f"{self.line}: {column}: expected {expected}, got {found}")
        self.good = False

    def require(self, columns: Sequence[str]) -> None:
        """Note the columns whose cells are empty."""
        for column in columns:
            if not self._cells.get(column):
                self.wrong(column, "a value")

    def text(self, column: str) -> str | None:
        """Return a cell without the space around it, None when it is empty or its column is not there."""
        return self._cells.get(column) or None

    def name(self, column: str) -> str:
        """Return a level of a topic: tenant or device."""
        return self._checked(column, _NAME.fullmatch, "1 to 64 of letters, digits and _.:-") or ""

    def kind(self, column: str) -> str:
        """Return a kind of part, as the fault catalogue spells them."""
        return self._checked(column, _KIND.fullmatch, "a kind such as drain_pump") or ""

    def tariff(self, column: str) -> str | None:
        """Return a tariff number."""
        return self._checked(column, _TARIFF.fullmatch, "a tariff number of 6 to 12 digits such as 8413.70")

    def choice(self, column: str, words: Sequence[Word]) -> Word | None:
        """Return a cell that is one of a few words."""
        value = self._checked(column, words.__contains__, f"one of {', '.join(words)}")
        return next((word for word in words if word == value), None)

    def day(self, column: str) -> date | None:
        """Return a date."""
        expected = "a date such as 2026-01-31"
        value = self._checked(column, _DAY.fullmatch, expected)
        if value is None:
            return None
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.wrong(column, expected)
            return None

    def amount(self, column: str, expected: str = "an amount such as 12.50") -> Decimal | None:
        """Return an amount of money or of something else, not negative."""
        value = self._checked(column, _AMOUNT.fullmatch, expected)
        return None if value is None else Decimal(value)

    def count(self, column: str) -> int | None:
        """Return a whole number, not negative."""
        value = self._checked(column, _COUNT.fullmatch, "a whole number")
        return None if value is None else int(value)

    def truth(self, column: str) -> bool | None:
        """Return yes or no."""
        value = self.choice(column, ("yes", "no"))
        return None if value is None else value == "yes"

    def country(self, column: str) -> str | None:
        """Return a country."""
        return self._checked(column, COUNTRIES.__contains__, "a country by ISO 3166 such as DE or GB")

    def region(self, column: str) -> str | None:
        """Return a region of a country."""
        return self._checked(column, _REGION.fullmatch, "a region by ISO 3166-2 such as DE-BY")

    def residence(self, column: str) -> str | None:
        """Return where personal data is kept."""
        return self._checked(column, _RESIDENCE.fullmatch, "a region of data such as eu")

    def postal_code(self, column: str) -> str | None:
        """Return a postal code."""
        return self._checked(column, _POSTAL_CODE.fullmatch, "a postal code of letters and digits")

    def postal_areas(self, column: str) -> tuple[str, ...]:
        """Return areas of postal codes."""
        return self.several(column, _is_area, "postal areas such as 34000-34999, 69* or DE:34*")

    def currency(self, column: str) -> str | None:
        """Return a currency."""
        return self._checked(column, _CURRENCY.fullmatch, "a currency by ISO 4217 such as EUR")

    def language(self, column: str) -> str | None:
        """Return a language."""
        return self._checked(column, _LANGUAGE.fullmatch, "a language by BCP 47 such as de or pt-BR")

    def time_zone(self, column: str) -> str | None:
        """Return a time zone."""
        return self._checked(column, available_zones().__contains__, "a time zone such as Europe/Berlin")

    def duration(self, column: str) -> int | None:
        """Return a duration in ms, above zero and of a year at most."""
        expected = "a duration such as 4h or 2d, of a year at most"
        value = self._checked(column, _duration, expected)
        return None if value is None else _duration(value)

    def hours(self, column: str) -> WorkingHours | None:
        """Return working hours."""
        value = self._checked(column, _hours, "working hours such as Mon-Fri 08:00-17:00;Sat 09:00-12:00")
        return None if value is None else _hours(value)

    def several(
        self, column: str, check: Callable[[str], object] = bool, expected: str = "texts"
    ) -> tuple[str, ...]:
        """Return the values of a cell that holds several, separated by semicolons."""
        values = tuple(filter(None, map(str.strip, (self.text(column) or "").split(LIST_SEPARATOR))))
        if not all(map(check, values)):
            self.wrong(column, f"{expected}, several separated by {LIST_SEPARATOR}")
        return values

    def countries(self, column: str) -> tuple[str, ...]:
        """Return several countries."""
        return self.several(column, COUNTRIES.__contains__, "countries by ISO 3166 such as DE or GB")

    def names(self, column: str) -> tuple[str, ...]:
        """Return several levels of topics."""
        return self.several(column, _NAME.fullmatch, "names of letters, digits and _.:-")

    def choices(self, column: str, words: Sequence[Word]) -> tuple[Word, ...]:
        """Return several of a few words."""
        values = self.several(column, words.__contains__, f"any of {', '.join(words)}")
        return tuple(word for value in values for word in words if word == value)

    def _checked(self, column: str, check: Callable[[str], object], expected: str) -> str | None:
        value = self.text(column)
        if value is None or check(value):
            return value
        self.wrong(column, expected)
        return None


def is_name(text: str) -> bool:
    """Say whether a text is a level of a topic: tenant or device."""
    return _NAME.fullmatch(text) is not None


def _is_area(text: str) -> bool:
    """Say whether a text is a postal area; the two ends of a range are of one length and in order."""
    match = _AREA.fullmatch(text)
    if match is None or (match[1] is not None and match[1] not in COUNTRIES):
        return False
    first, last = match[3] or "", match[4] or match[3] or ""
    return len(first) == len(last) and first <= last


def _duration(text: str) -> int | None:
    try:
        found = parse_duration(text)
    except ValueError:
        return None
    return found if 0 < found <= 366 * DAY_MS else None


def _hours(text: str) -> WorkingHours | None:
    try:
        return parse_hours(text)
    except ValueError:
        return None


@cache
def available_zones() -> frozenset[str]:
    """Return the names of all time zones."""
    return frozenset(available_timezones())


class Table:
    """A CSV file: UTF-8 with or without byte order mark, commas, the columns' names in its first line.

    Attributes:
        whole: false when a part of the file could not be read as a table, so that records may be absent.
        broken: how many problems there were with the file and with lines that are no records.
        header: the names of its columns as they stand in it.
    """

    def __init__(self, path: Path, columns: Columns, problems: list[str]) -> None:
        self._path = path
        self._columns = columns
        self._problems = problems
        self.whole = True
        self.broken = 0
        self.header: list[str] = []

    def rows(self) -> Iterator[Row]:
        """Yield the records; those whose required cells are empty too, with the problem noted.

        Raises:
            OutsideError: the file is there and cannot be read.
        """
        for lines, records in self.pieces(_PIECE):
            for line, record in zip(lines, records, strict=True):
                cells = list(map(str.strip, record))
                if any(cells):  # spreadsheets write empty lines as commas
                    yield self.row(line, cells)

    def row(self, line: int, cells: Sequence[str]) -> Row:
        """Return a record as a row; problems with its required cells are noted."""
        row = Row(self._path, line, dict(zip(self.header, cells, strict=True)), self._problems)
        row.require(self._columns.required)
        return row

    def pieces(self, size: int) -> Iterator[tuple[Sequence[int], list[list[str]]]]:
        """Yield lines and cells of up to so many records at a time, the cells with the space around them.

        Raises:
            OutsideError: the file is there and cannot be read.
        """
        text = self._text()
        if text is None:
            return
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        whole = True
        guarded = has_guarded(text)  # asked once: a million lines need not look at each cell
        try:
            header = [cell.strip() for cell in next(reader, [])]
        except csv.Error as error:
            self._broken(reader.line_num, f"row: expected CSV, got something else: {error}")
            return
        if not self._header_is_right(header):
            return
        self.header = header
        while whole:
            records: list[list[str]] = []
            before, trouble = reader.line_num, ""
            try:
                records += islice(reader, size)  # what came before an error stays
                whole = len(records) == size
            except csv.Error as error:
                trouble, whole = str(error), False
            lines = self._lines(before, reader.line_num, records)
            broken = self.broken
            if not all(map(len(header).__eq__, map(len, records))):
                lines, records = self._records_only(lines, records)
            if trouble:
                self._broken(reader.line_num, f"row: expected CSV, got something else: {trouble}")
            if guarded:
                records = [list(map(plain, map(str.strip, record))) for record in records]
            if records or self.broken > broken:
                yield lines, records

    @staticmethod
    def _lines(before: int, after: int, records: Sequence[Sequence[str]]) -> Sequence[int]:
        """Return the line on which each record begins; cells may hold ends of lines."""
        if after - before == len(records):
            return range(before + 1, after + 1)
        lines, line = [], before + 1
        for record in records:
            lines.append(line)
            line += 1 + sum(len(_LINE_END.findall(cell)) for cell in record)
        return lines

    def _records_only(
        self, lines: Sequence[int], records: Sequence[list[str]]
    ) -> tuple[list[int], list[list[str]]]:
        """Leave out what is no record; that which is no empty line is noted."""
        kept: list[tuple[int, list[str]]] = []
        for line, record in zip(lines, records, strict=True):
            if len(record) == len(self.header):
                kept.append((line, record))
            elif any(map(str.strip, record)):
                self._broken(line, f"row: expected {len(self.header)} cells, got {len(record)}")
        return [line for line, _ in kept], [record for _, record in kept]

    def _text(self) -> str | None:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            self._broken(1, "file: expected a file, got a folder")
            return None
        except OSError as error:
            raise OutsideError(f"{self._path}: {error.strerror}") from None
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            # The decoder has taken a byte order mark off before it counts; newlines are counted from there.
            line = error.object.count(b"\n", 0, error.start) + 1
            self._broken(line, f"file: expected UTF-8, got byte {error.object[error.start]:#04x}")
            return None

    def _header_is_right(self, header: list[str]) -> bool:
        known, required = self._columns.all, self._columns.required
        if not any(header):
            self._broken(1, f"header: expected {', '.join(known)}, got an empty line or file")
            return False
        if len(header) == 1 and LIST_SEPARATOR in header[0]:
            self._broken(1, "header: expected columns separated by commas, got semicolons")
            return False
        for column in header:
            if column not in known:
                self._broken(1, f"{column or 'header'}: expected one of {', '.join(known)}, got {column!r}")
        for column in sorted({column for column in header if header.count(column) > 1}):
            self._broken(1, f"{column}: expected each column once, got {header.count(column)}")
        for column in required:
            if column not in header:
                self._broken(1, f"{column}: expected this column, got {', '.join(header)}")
        return self.whole

    def _broken(self, line: int, problem: str) -> None:
        self.whole = False
        self.broken += 1
        self._problems.append(f"{self._path}:{line}: {problem}")

"""Backblaze's drive statistics as messages of the gateway, and the score of the orders that come of them.

The table is in change-point form: a row holds for the power-on hours (tstart, tstop] of a drive and carries
raw SMART counts; `fails` is 1 on the row at whose tstop the drive failed. A drive speaks when a row begins,
with that row's values, a day later, and every ninety days while they hold; nothing of a later row is ever in
a message. (Daily messages would be 27 million; on every twentieth drive they gave the same orders, two of 186
half a day apart.) A count that the model does not report is left out.

Time: the last hour of a drive is the end of its `max_date`; earlier hours lie as many hours before it.

Run as a script: ``python tests/data/backblaze.py FOLDER OUT.jsonl.gz`` converts ``FOLDER/*.csv.gz``.
Source of the data: Backblaze, Hard Drive Test Data.
"""

import csv
import gzip
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from rules.times import DAY_MS, HOUR_MS, parse_instant

TENANT = "backblaze"
COMPONENT = "sda"
#: Drives that had not failed by the last day of the table were in service on it.
LAST_DAY = "2016-09-30"
#: When a drive speaks after the beginning of a row, h, and how often from then on.
REPEATED_AFTER = (24,)
REPEATED_EVERY = 90 * 24

SIGNALS = {
    "smart_5": "disk.reallocated_sectors",
    "smart_10": "disk.spin_retries",
    "smart_12": "disk.power_cycles",
    "smart_187": "disk.reported_uncorrectable",
    "smart_188": "disk.command_timeouts",
    "smart_189": "disk.high_fly_writes",
    "smart_196": "disk.reallocation_events",
    "smart_197": "disk.pending_sectors",
    "smart_198": "disk.offline_uncorrectable",
}


@dataclass(slots=True)
class Drive:
    """One drive.

    Attributes:
        failed: it failed, at its `end`.
        in_service: it had not failed and was in service on the last day of the table.
        last_hour: power-on hours at its `end`.
        end: ms since 1970 UTC.
        rows: (first hour, last hour, SMART values as further entries of a JSON object) of each of its rows.
    """

    device: str
    serial: str
    model: str
    failed: bool
    in_service: bool
    last_hour: int
    end: int
    rows: list[tuple[int, int, str]] = field(default_factory=list)

    def instant(self, hour: int) -> int:
        """Return when a drive had so many power-on hours, ms."""
        return self.end - (self.last_hour - hour) * HOUR_MS


def read(csv_gz: Path) -> Iterator[Drive]:
    """Yield the drives of a table, one after the other as they stand there."""
    drive: Drive | None = None
    with gzip.open(csv_gz, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if drive is None or row["serial_number"] != drive.serial:
                if drive is not None:
                    yield drive
                drive = _drive(row)
            values = "".join(
                f', "{signal}@{COMPONENT}": {row[column]}'
                for column, signal in SIGNALS.items()
                if row[column]
            )
            drive.rows.append((int(row["tstart"]), int(row["tstop"]), values))
    if drive is not None:
        yield drive


def _drive(row: dict[str, str]) -> Drive:
    last_day = date.fromisoformat(row["max_date"])
    end = datetime.combine(last_day + timedelta(days=1), datetime.min.time(), UTC)
    failed = row["failed"] == "1"
    return Drive(
        device=device_name(row["serial_number"]),
        serial=row["serial_number"],
        model=row["model"],
        failed=failed,
        in_service=not failed and row["max_date"] == LAST_DAY,
        last_hour=int(row["max_hours"]),
        end=int(end.timestamp()) * 1000,
    )


def device_name(serial: str) -> str:
    """Return a serial number as the name of a device."""
    return re.sub(r"[^A-Za-z0-9_.:-]", "-", serial)[:64]


def convert(csv_gz: Path, out_jsonl_gz: Path, *, repeat: bool = True) -> int:
    """Write a table as lines for `forewarn replay`, in order of time, and return how many.

    Args:
        csv_gz: the table.
        out_jsonl_gz: the lines, gzipped.
        repeat: False: drives speak only when something changes.
    """
    drives = list(read(csv_gz))
    times, owners, rows = [], [], []
    for owner, drive in enumerate(drives):
        for number, (first, last, _) in enumerate(drive.rows):
            spoken = np.array([first])
            if repeat:
                spoken = np.concatenate(
                    [
                        [first],
                        first + np.array(REPEATED_AFTER),
                        np.arange(first + REPEATED_EVERY, last, REPEATED_EVERY),
                    ]
                )
                spoken = spoken[spoken < last]
            times.append(drive.end - (drive.last_hour - spoken) * HOUR_MS)
            owners.append(np.full(len(spoken), owner))
            rows.append(np.full(len(spoken), number))
    ts, owner_of, row_of = np.concatenate(times), np.concatenate(owners), np.concatenate(rows)
    order = np.lexsort((owner_of, ts))
    with gzip.open(out_jsonl_gz, "wt", encoding="utf-8", compresslevel=1) as out:
        for drive in drives:
            out.write(_facts(drive, int(ts[order[0]])))
        for at, owner, number in zip(
            ts[order].tolist(), owner_of[order].tolist(), row_of[order].tolist(), strict=True
        ):
            out.write(_telemetry(drives[owner], at, drives[owner].rows[number][2]))
    return len(drives) + len(ts)


def _facts(drive: Drive, at: int) -> str:
    part = {"model": drive.model, "serial": drive.serial}
    facts = {"model": drive.model, "serial": drive.serial, "components": {COMPONENT: part}}
    topic = f"fw/{TENANT}/server/{drive.device}/facts"
    return json.dumps({"topic": topic, "ts": at, "payload": facts}) + "\n"


def _telemetry(drive: Drive, at: int, values: str) -> str:
    hour = drive.last_hour - (drive.end - at) // HOUR_MS
    return (
        f'{{"topic": "fw/{TENANT}/server/{drive.device}/telemetry", "ts": {at}, "payload": {{"ts": {at}, '
        f'"values": {{"disk.power_on_hours@{COMPONENT}": {hour}{values}}}}}}}\n'
    )


@dataclass(frozen=True, slots=True)
class Score:
    """How orders met failures.

    Attributes:
        failed: drives that failed.
        ahead: of these, those that were ordered at least a day before.
        in_service: drives in service on the last day.
        false: of these, those that were ever ordered.
    """

    failed: int
    ahead: int
    in_service: int
    false: int

    @property
    def found(self) -> float:
        """Share of failed drives that were ordered at least a day ahead."""
        return self.ahead / self.failed

    @property
    def false_alarms(self) -> float:
        """Share of the drives in service that were ever ordered."""
        return self.false / self.in_service

    def __str__(self) -> str:
        return (
            f"{self.found:.2%} of {self.failed} failed drives ordered at least a day ahead, "
            f"{self.false_alarms:.3%} of {self.in_service} drives in service ever ordered"
        )


def score(first_alarm: dict[str, int], drives: Iterable[Drive]) -> Score:
    """Score alarms, ms by device."""
    failed = ahead = in_service = false = 0
    for drive in drives:
        alarm = first_alarm.get(drive.device)
        if drive.failed:
            failed += 1
            ahead += alarm is not None and alarm <= drive.end - DAY_MS
        elif drive.in_service:
            in_service += 1
            false += alarm is not None
    return Score(failed, ahead, in_service, false)


def first_orders(orders_jsonl: Path) -> dict[str, int]:
    """Return when the first order of each device was opened, ms."""
    first: dict[str, int] = {}
    with orders_jsonl.open(encoding="utf-8") as lines:
        for line in lines:
            order = json.loads(line)
            at = parse_instant(order["opened_at"])
            device = order["device"]["device"]
            first[device] = min(at, first.get(device, at))
    return first


def first_nonzero(drives: Iterable[Drive], columns: tuple[str, ...]) -> dict[str, int]:
    """Return when any of some counts was first above zero, ms by device: the rule to be compared with."""
    keys = [f"{SIGNALS[column]}@{COMPONENT}" for column in columns]
    first: dict[str, int] = {}
    for drive in drives:
        for hour, _, text in drive.rows:
            values = json.loads(f"{{{text[2:]}}}")
            if any(values.get(key, 0) > 0 for key in keys):
                first[drive.device] = drive.instant(hour)
                break
    return first


def main(arguments: list[str]) -> int:
    """Convert the tables of a folder."""
    if len(arguments) != 2:
        print("usage: python tests/data/backblaze.py FOLDER OUT.jsonl.gz", file=sys.stderr)
        return 2
    tables = sorted(Path(arguments[0]).glob("*.csv.gz"))
    if len(tables) != 1:
        print(f"{arguments[0]}: expected one *.csv.gz, found {len(tables)}", file=sys.stderr)
        return 1
    print(convert(tables[0], Path(arguments[1])), "lines")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The DuckDB file of the history: its tables, how it is opened, and what is said when it cannot be."""

import re
from pathlib import Path

import duckdb

from gateway.errors import StoreUnavailableError, UserError

#: Version of the tables below; an older file is brought up to it, a newer one is not touched.
SCHEMA_VERSION = 3

#: One row a message: a message of six readings costs a third of what six rows would. `layout` says whose the
#: values are; `kinds` is null where all are numbers, `texts` where none is a text.
_MESSAGES = (
    "CREATE TABLE layouts (number INTEGER, channels INTEGER[])",
    """CREATE TABLE messages (
        sequence BIGINT, device INTEGER, ts BIGINT, arrival BIGINT, retained BOOLEAN, layout INTEGER,
        "values" DOUBLE[], kinds TINYINT[], texts VARCHAR[]
    )""",
    # For people with a DuckDB shell; forewarn itself reads the tables.
    """CREATE VIEW telemetry AS
        WITH items AS (
            SELECT *, unnest(range(1, len(channels) + 1)) AS item
            FROM messages JOIN layouts ON layouts.number = layout
        )
        SELECT sequence, tenant, class, devices.device, signal, component, ts, arrival,
            CASE coalesce(kinds[item], 0)
                WHEN 0 THEN 'number' WHEN 1 THEN 'boolean' WHEN 2 THEN 'text' ELSE 'unknown'
            END AS kind,
            "values"[item] AS value, texts[item] AS text
        FROM items
        JOIN devices ON devices.number = items.device
        JOIN channels ON channels.number = items.channels[item]""",
)

_TABLES = (
    "CREATE TABLE devices (number INTEGER, tenant VARCHAR, class VARCHAR, device VARCHAR)",
    "CREATE TABLE channels (number INTEGER, signal VARCHAR, component VARCHAR)",
    *_MESSAGES,
    """CREATE TABLE notices (
        sequence BIGINT, device INTEGER, arrival BIGINT, kind VARCHAR, body VARCHAR, retained BOOLEAN
    )""",
    "CREATE TABLE forewarn_history (version INTEGER)",
)

#: What brings a file of a version to the next one. The first did not tell what a broker had kept, the second
#: had a row for each reading, and one without a channel for a message without readings.
_MIGRATIONS = {
    1: (
        "ALTER TABLE readings ADD COLUMN retained BOOLEAN DEFAULT false",
        "ALTER TABLE notices ADD COLUMN retained BOOLEAN DEFAULT false",
    ),
    2: (
        "DROP VIEW telemetry",
        *_MESSAGES,
        """CREATE TEMPORARY TABLE gathered AS
            SELECT sequence, min(device) AS device, min(ts) AS ts, min(arrival) AS arrival,
                bool_or(retained) AS retained,
                coalesce(list(channel ORDER BY item) FILTER (channel IS NOT NULL), []) AS channels,
                coalesce(list(value ORDER BY item) FILTER (channel IS NOT NULL), []) AS "values",
                coalesce(list(kind ORDER BY item) FILTER (channel IS NOT NULL), []) AS kinds,
                coalesce(list(text ORDER BY item) FILTER (channel IS NOT NULL), []) AS texts
            FROM readings GROUP BY sequence""",
        """INSERT INTO layouts
            SELECT row_number() OVER () - 1, channels FROM (SELECT DISTINCT channels FROM gathered)""",
        """INSERT INTO messages
            SELECT sequence, device, ts, arrival, retained, number, "values",
                CASE WHEN coalesce(list_sum(kinds), 0) > 0 THEN kinds END,
                CASE WHEN len(list_filter(texts, lambda text: text IS NOT NULL)) > 0 THEN texts END
            FROM gathered JOIN layouts USING (channels) ORDER BY sequence""",
        "DROP TABLE gathered",
        "DROP TABLE readings",
    ),
}

_LOCKED = re.compile(r"Conflicting lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")

_DAMAGED = re.compile(r"not a valid DuckDB database|Corrupt database file|database file with version number")


def connect(path: Path, *, readonly: bool, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """Open the file, with the tables created where it is new.

    Automatic checkpoints are off: a commit must never fail because of one.

    Raises:
        UserError: the file is not a history, or one of another version.
        StoreUnavailableError: another process has it, or the disk refuses.
    """
    _refuse_foreign(path, readonly=readonly)
    try:
        connection = duckdb.connect(
            str(path),
            read_only=readonly,
            config={
                "checkpoint_threshold": "1TB",
                "memory_limit": memory_limit,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
    except duckdb.Error as error:
        raise _refusal(path, error) from error
    try:
        if not readonly:
            connection.execute("PRAGMA disable_checkpoint_on_shutdown")
        _check_tables(connection, path, readonly=readonly)
    except duckdb.Error as error:
        connection.close()
        raise unavailable(path, error) from error
    except UserError:
        connection.close()
        raise
    return connection


def unavailable(path: Path, error: duckdb.Error) -> StoreUnavailableError:
    """Return the sentence for an error of a file that had been opened."""
    return StoreUnavailableError(f"history {path}: {_first_line(error)}")


def _first_line(error: duckdb.Error) -> str:
    """Return what DuckDB says, without its hints and the notice that it wants to be restarted."""
    text = str(error)
    if original := re.search(r'Original error: "(.+?)"$', text, re.MULTILINE):
        text = original[1]
    return text.strip().splitlines()[0] if text.strip() else type(error).__name__


def _refuse_foreign(path: Path, *, readonly: bool) -> None:
    """Say in plain words what DuckDB would wrap into its own, and clear away a file that never began."""
    try:
        if readonly and not path.exists():
            raise UserError(f"no history at {path}: has the gateway run with this data folder?")
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            return
        with path.open("rb") as file:
            head = file.read(12)
        if not head and not readonly:
            path.unlink()  # killed between creating the file and writing its first block
        elif head[8:12] != b"DUCK":
            raise UserError(
                f"{path}: expected a DuckDB database, this file is something else; move it away"
                " or let history.url name another file"
            )
    except OSError as error:
        raise StoreUnavailableError(f"history {path}: {error.strerror}") from error


def _refusal(path: Path, error: duckdb.Error) -> UserError | StoreUnavailableError:
    """Return the error for a file that could not be opened."""
    text = str(error)
    if locked := _LOCKED.search(text):
        return StoreUnavailableError(
            f"history {path} is in use by another process, {locked['program']} with PID {locked['pid']}:"
            " DuckDB admits one; ask the running gateway, or stop it"
        )
    if _DAMAGED.search(text) or isinstance(error, duckdb.SerializationException):
        return UserError(
            f"{path}: damaged, or of a DuckDB that this one cannot read: {_first_line(error)}; move it away"
            " or let history.url name another file"
        )
    return unavailable(path, error)


def _check_tables(connection: duckdb.DuckDBPyConnection, path: Path, *, readonly: bool) -> None:
    tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not tables and not readonly:
        connection.execute("BEGIN")
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute("INSERT INTO forewarn_history VALUES (?)", [SCHEMA_VERSION])
        connection.execute("COMMIT")
        return
    if "forewarn_history" not in tables:
        what = f"tables {', '.join(sorted(tables))}" if tables else "no tables"
        raise UserError(f"{path}: expected a history of forewarn, found a DuckDB database with {what}")
    found = connection.execute("SELECT max(version) FROM forewarn_history").fetchall()[0][0]
    if found in _MIGRATIONS:
        if readonly:
            raise UserError(
                f"{path} has schema version {found}, expected {SCHEMA_VERSION}: start the gateway once, it"
                " brings the history up to date"
            )
        _migrate(connection, found)
    elif found != SCHEMA_VERSION:
        raise UserError(
            f"{path}: expected a history of schema version {SCHEMA_VERSION}, found {found}: use the forewarn"
            " that wrote it, or let history.url name another file"
        )


def _migrate(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    """Bring the tables from a version to the present one, all of it or nothing."""
    connection.execute("BEGIN")
    for step in range(version, SCHEMA_VERSION):
        for statement in _MIGRATIONS[step]:
            connection.execute(statement)
    connection.execute("UPDATE forewarn_history SET version = ?", [SCHEMA_VERSION])
    connection.execute("COMMIT")

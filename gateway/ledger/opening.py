"""Opening a ledger: the engine, its settings, its migrations, and what is said when it cannot be opened."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gateway.errors import StoreUnavailableError, UserError

VERSION_TABLE = "forewarn_schema"

#: How long a statement waits for the lock of another process before it gives up.
BUSY_TIMEOUT_MS = 5_000

#: Alembic keeps its context in the module, one at a time.
_migrating = threading.Lock()

#: Errors that say our statements are wrong, which no retry mends.
_OURS = (ProgrammingError, IntegrityError, DataError)


def open_engine(url: str) -> sa.Engine:
    """Open a ledger for reading and writing, with the file made and the tables migrated as needed.

    Raises:
        UserError: the URL is none, or what is there is not a ledger, or one of a newer forewarn.
        StoreUnavailableError: the database cannot be reached, or its disk refuses.
    """
    parsed = _parse(url)
    if path := _file_of(parsed):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailableError(f"ledger {path}: {error.strerror}") from error
    engine = sa.create_engine(parsed)
    if engine.dialect.name == "sqlite":
        _settle_sqlite(engine, "journal_mode = WAL", "synchronous = FULL")
    try:
        with speaking(engine), _migrating, writing(engine).begin() as connection:
            _refuse_foreign(connection)
            if _version(connection) != _newest_version():
                command.upgrade(_migrations(connection), "head")
    except BaseException:
        engine.dispose()
        raise
    return engine


def open_engine_readonly(url: str) -> sa.Engine:
    """Open a ledger for reading, also while a gateway writes to it.

    Raises:
        UserError: there is none, or what is there is not a ledger of this version.
        StoreUnavailableError: the database cannot be reached, or its disk refuses.
    """
    parsed = _parse(url)
    if path := _file_of(parsed):
        if not path.is_file():
            raise UserError(f"no ledger at {path}: has the gateway run with this data folder?")
        name = f"file:{quote(str(path.absolute()))}?mode=ro"
        engine = sa.create_engine(
            parsed, creator=lambda: sqlite3.connect(name, uri=True, check_same_thread=False)
        )
        _settle_sqlite(engine, "query_only = ON")
    else:
        engine = sa.create_engine(parsed)
    try:
        with speaking(engine), engine.begin() as connection:
            _refuse_foreign(connection)
            _refuse_old(connection)
    except BaseException:
        engine.dispose()
        raise
    return engine


def writing(engine: sa.Engine) -> sa.Engine:
    """Return the engine whose transactions take the write lock at their beginning."""
    return engine.execution_options(forewarn_writes=True)


def shown(engine: sa.Engine) -> str:
    """Return the URL as it may be shown: without its password."""
    return engine.url.render_as_string(hide_password=True)


@contextmanager
def speaking(engine: sa.Engine) -> Iterator[None]:
    """Turn the database's errors into sentences.

    Raises:
        UserError: the file is not a database.
        StoreUnavailableError: it is locked, full, gone or broken; the same call may be made again.
    """
    name = shown(engine)
    try:
        yield
    except _OURS:
        raise
    except PoolTimeoutError as error:
        raise StoreUnavailableError(f"ledger {name}: all connections are in use") from error
    except (DBAPIError, sqlite3.Error) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        if "file is not a database" in str(reason):
            raise UserError(
                f"ledger {name}: expected an SQLite database, this file is something else; move it away or"
                " let ledger.url name another file"
            ) from error
        raise StoreUnavailableError(f"ledger {name}: {reason}") from error


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise UserError(f"ledger.url: expected sqlite:///PATH, got {url!r} ({error})") from error
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise UserError(f"ledger.url: expected sqlite:///PATH, got {url!r}")
    return parsed


def _file_of(url: sa.URL) -> Path | None:
    is_file = url.get_backend_name() == "sqlite" and url.database
    return Path(url.database) if is_file and url.database else None


def _settle_sqlite(engine: sa.Engine, *settings: str) -> None:
    """Let transactions begin where SQLAlchemy begins them, and give each connection its settings."""

    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # the driver would begin late, and not at all before DDL
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        for setting in (*settings, "foreign_keys = ON"):
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("forewarn_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _refuse_foreign(connection: sa.Connection) -> None:
    """Raise UserError when the database is somebody else's, or of a forewarn from the future."""
    name = shown(connection.engine)
    tables = sa.inspect(connection).get_table_names()
    if tables and VERSION_TABLE not in tables:
        raise UserError(
            f"ledger {name}: expected a ledger of forewarn, found a database with tables"
            f" {', '.join(sorted(tables)[:5])}; let ledger.url name another one"
        )
    version = _version(connection)
    if version is not None and version not in _known_versions():
        raise UserError(
            f"ledger {name} was written by a newer forewarn: its schema version is {version}, this one knows"
            f" up to {_newest_version()}; update forewarn"
        )


def _refuse_old(connection: sa.Connection) -> None:
    """Raise UserError when the tables lag behind this version."""
    if (version := _version(connection)) != _newest_version():
        raise UserError(
            f"ledger {shown(connection.engine)} has schema version {version or 'none'}, expected"
            f" {_newest_version()}: start the gateway once, it brings the ledger up to date"
        )


def _version(connection: sa.Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def _migrations(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = VERSION_TABLE
    return config


def _known_versions() -> list[str]:
    """Return the schema versions from the newest to the first."""
    return [script.revision for script in ScriptDirectory.from_config(_migrations()).walk_revisions()]


def _newest_version() -> str:
    return _known_versions()[0]

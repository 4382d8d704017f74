"""Personal data of the registry: names, contacts and addresses, in the file of the region they belong to.

What is of no region stands beside the registry's other tables, in ``registry.db``. A region has a file of its
own, ``registry-persons-REGION.db``, in the folder that the configuration names for it.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import StoreUnavailableError, UserError

#: Stands in the file of a region, so that a file of another program is not touched.
APPLICATION = 0x46_57_50_44  # "FWPD"

SCHEMA = """
CREATE TABLE IF NOT EXISTS persons (owner TEXT PRIMARY KEY, name TEXT, contact TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS addresses (site TEXT PRIMARY KEY, address TEXT) WITHOUT ROWID;
"""

#: The tables, and the column that names their rows.
KEYS = {"persons": "owner", "addresses": "site"}

Cells = tuple[str | None, ...]


@contextmanager
def speaking(path: Path) -> Iterator[None]:
    """Turn what SQLite says into errors that have a reader.

    Raises:
        StoreUnavailableError: the file cannot be read or written now.
        UserError: it is no database.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreUnavailableError(f"{path}: {error}") from None
    except sqlite3.DatabaseError as error:
        raise UserError(f"{path}: expected a registry of forewarn, got: {error}") from None


def connect(path: Path) -> sqlite3.Connection:
    """Open an SQLite file for any thread; transactions are said, not implied."""
    connection = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    return connection


class Persons:
    """The two tables of one file. Any thread may call any method.

    Args:
        path: of the file, for errors.
        connection: to it; the tables are there.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    @classmethod
    def of_region(cls, path: Path, *, make: bool) -> "Persons":
        """Open the file of a region.

        Args:
            path: where it is.
            make: whether it is made when it is not there.

        Raises:
            StoreUnavailableError: it cannot be opened, or is not there and not to be made.
            UserError: it is another program's.
        """
        if not make and not path.exists():
            raise StoreUnavailableError(f"{path}: expected the personal data of a region, there is no file")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailableError(f"{path.parent}: {error.strerror}") from None
        with speaking(path):
            connection = connect(path)
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables and application != APPLICATION:
                raise UserError(f"{path}: expected personal data of forewarn, got another database")
            connection.executescript(f"{SCHEMA}PRAGMA application_id = {APPLICATION};")
        return cls(path, connection)

    def find(self, table: str, key: str) -> Cells | None:
        """Return what stands of a key, without the key."""
        with speaking(self.path):
            query = f"SELECT * FROM {table} WHERE {KEYS[table]} = ?"  # noqa: S608  (names of ours)
            found: Cells | None = self.connection.execute(query, (key,)).fetchone()
        return found[1:] if found else None

    def put(self, table: str, rows: Iterable[Cells]) -> None:
        """Add rows or replace those of the same key."""
        marks = "?, ?, ?" if table == "persons" else "?, ?"
        with speaking(self.path):
            self.connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)  # noqa: S608

    def erase(self, table: str, key: str) -> bool:
        """Remove a row so that its bytes are gone; say whether there was one."""
        with speaking(self.path):
            self.connection.execute("PRAGMA secure_delete = ON")
            statement = f"DELETE FROM {table} WHERE {KEYS[table]} = ?"  # noqa: S608
            return self.connection.execute(statement, (key,)).rowcount > 0

    def clear(self, table: str) -> None:
        """Remove all rows."""
        with speaking(self.path):
            self.connection.execute("PRAGMA secure_delete = ON")
            self.connection.execute(f"DELETE FROM {table}")  # noqa: S608

    def settle(self) -> None:
        """Bring everything into the file itself, so that what was erased stands nowhere beside it."""
        with speaking(self.path):
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

"""One DuckDB file held open: transactions, cursors for readers, checkpoints, room on the disk.

A commit returns after the write-ahead log was synchronised. Checkpoints fold that log into the file when it
has grown past a size, and on `close`; they are never part of a commit, because a checkpoint that fails
invalidates DuckDB's instance, though not what it has on disk. After that, as after every fatal error, the
file is opened anew before the next call.
"""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from gateway.errors import StoreUnavailableError, UserError
from gateway.history.database import connect, unavailable

MIB = 1 << 20

#: A checkpoint that failed is not tried again before so many seconds.
_CHECKPOINT_PAUSE_S = 30.0

_FATAL = (duckdb.FatalException, duckdb.InternalException)


class HistoryFile:
    """A DuckDB file with one writer and any number of readers on other threads.

    Args:
        path: the file.
        readonly: open without the right to write; several processes may at once.
        checkpoint_bytes: size of the write-ahead log at which it is folded into the file.
        keep_free: bytes of the file system below which no transaction is begun.
        memory_limit: what DuckDB may use, in its notation.

    Raises:
        UserError: the file is not a history, or one of another version.
        StoreUnavailableError: another process has it open, or the disk refuses.
    """

    def __init__(
        self, path: Path, *, readonly: bool, checkpoint_bytes: int, keep_free: int, memory_limit: str
    ) -> None:
        self.path = path
        #: Held while writing, and while the file is opened anew.
        self.turn = threading.RLock()
        #: Called with a transaction's connection after the file was opened anew.
        self.on_reopened: Callable[[duckdb.DuckDBPyConnection], None] | None = None
        self._log = path.with_name(path.name + ".wal")
        self._readonly = readonly
        self._checkpoint_bytes = checkpoint_bytes
        self._keep_free = keep_free
        self._memory_limit = memory_limit
        self._state = threading.Condition()  # guards the next three; taken after `turn` where both are
        self._readers = 0
        self._invalidated = False
        self._closed = False
        self._checkpoint_after = 0.0
        self._connection = connect(path, readonly=readonly, memory_limit=memory_limit)

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a cursor of its own to the calling thread.

        Raises:
            StoreUnavailableError: closed, or the disk refuses.
        """
        with self._state:
            cursor = None if self._closed or self._invalidated else self._cursor()
        if cursor is None:
            with self.turn:
                self._revive()
                with self._state:
                    cursor = self._cursor()
        try:
            yield cursor
        except duckdb.Error as error:
            self._note(error)
            raise unavailable(self.path, error) from error
        finally:
            cursor.close()
            with self._state:
                self._readers -= 1
                self._state.notify_all()

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give the writer's connection inside a transaction, committed at the end or rolled back.

        Raises:
            StoreUnavailableError: closed, read-only, no room, or the disk refuses; nothing was kept.
        """
        with self.turn:
            self._revive()
            self._refuse_without_room()
            try:
                with self._atomic():
                    yield self._connection
            except duckdb.Error as error:
                raise unavailable(self.path, error) from error

    def checkpoint_when_due(self) -> None:
        """Fold the log into the file when it is long; a log that cannot be folded stays as it is."""
        with self.turn:
            if self._log_size() >= self._checkpoint_bytes and time.monotonic() >= self._checkpoint_after:
                self._checkpoint()

    def close(self) -> None:
        """Fold the log into the file where there is room, and release both."""
        with self.turn:
            if self._closed:
                return
            if not self._readonly and not self._invalidated and self._log_size():
                self._checkpoint()
            with self._state:
                self._closed = True
                self._state.wait_for(lambda: self._readers == 0)
                self._connection.close()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        cursor = self._connection.cursor()
        self._readers += 1
        return cursor

    @contextmanager
    def _atomic(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN")
            yield
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._note(error)
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        try:
            self._connection.execute("ROLLBACK")
        except duckdb.TransactionException:
            return  # a commit that failed has rolled back already
        except duckdb.Error:
            with self._state:
                self._invalidated = True

    def _note(self, error: BaseException) -> None:
        """Remember that the instance is of no use any more, where the error means that."""
        if isinstance(error, _FATAL):
            with self._state:
                self._invalidated = True

    def _revive(self) -> None:
        """Open the file anew after a fatal error.

        Raises:
            StoreUnavailableError: closed, or still not to be opened.
        """
        if self._closed:
            raise StoreUnavailableError(f"history {self.path} is closed")
        if not self._invalidated:
            return
        with self._state:
            # DuckDB keeps an instance for as long as one cursor of it lives.
            self._state.wait_for(lambda: self._readers == 0)
            self._connection.close()
            try:
                self._connection = connect(
                    self.path, readonly=self._readonly, memory_limit=self._memory_limit
                )
                if self.on_reopened and not self._readonly:
                    with self._atomic():
                        self.on_reopened(self._connection)
            except UserError as error:
                raise StoreUnavailableError(str(error)) from error
            except duckdb.Error as error:
                raise unavailable(self.path, error) from error
            self._invalidated = False

    def _refuse_without_room(self) -> None:
        if self._readonly:
            raise StoreUnavailableError(f"history {self.path} is open for reading only")
        free = self._free()
        if free < self._keep_free:
            raise StoreUnavailableError(
                f"history {self.path}: {free / MIB:.1f} MiB free on its disk,"
                f" {self._keep_free / MIB:.1f} MiB are kept back; nothing is taken until there is more"
            )

    def _free(self) -> int:
        try:
            return shutil.disk_usage(self.path.parent).free
        except OSError as error:
            raise StoreUnavailableError(f"history {self.path}: {error.strerror}") from error

    def _log_size(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0  # there is none until the first commit after a checkpoint

    def _checkpoint(self) -> None:
        self._checkpoint_after = time.monotonic() + _CHECKPOINT_PAUSE_S
        try:
            if self._free() <= self._log_size():
                return
            self._connection.execute("CHECKPOINT")
        except duckdb.Error as error:
            self._note(error)
        except StoreUnavailableError:
            return
        else:
            self._checkpoint_after = 0.0

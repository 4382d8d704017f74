"""The secrets of a target, from the configuration and from files that are read again when they change."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from gateway.errors import UserError

Key = Literal["secret", "token", "password"]

#: A file that was written so short a time before it was read may be written again within the same tick of
#: its file system's clock, which its time of change would not show.
_SETTLES_WITHIN_NS = 2_000_000_000

#: Bytes of a file that are read; a file of secrets has a few lines.
_MOST_READ = 65_536


class Reread(NamedTuple):
    """A file was read again: `problem` is None when it gave other secrets, else why the last stay."""

    path: Path
    problem: str | None


class SecretFile:
    """A file with secrets, read anew when its time, size or inode has changed.

    Args:
        key: which of a target's secrets it holds.
        path: may be a link; what it leads to counts.
        place: of the key in the configuration, for errors.
        parse: makes secrets of its text, or raises ValueError with what was expected.

    Raises:
        UserError: it cannot be read, or what stands in it is no secret.
    """

    def __init__(self, key: Key, path: Path, place: str, parse: Callable[[str], tuple[str, ...]]) -> None:
        self.key = key
        self._path = path
        self._parse = parse
        self._stamp: tuple[int, ...] | None = None
        self._settled = False
        self._problem: str | None = None
        try:
            self.values = self._read()
        except ValueError as error:
            raise UserError(f"{place}: {error}") from None

    def look(self) -> Reread | None:
        """Read it again if it has changed; one that cannot be used leaves the last secrets as they are."""
        try:
            if self._settled and _stamp(os.stat(self._path)) == self._stamp:
                return None
            values, problem = self._read(), None
        except (OSError, ValueError) as error:
            values, problem = self.values, error.strerror if isinstance(error, OSError) else str(error)
        if (values, problem) == (self.values, self._problem):
            return None
        self.values, self._problem = values, problem
        return Reread(self._path, problem)

    def _read(self) -> tuple[str, ...]:
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                content = file.read(_MOST_READ)
        except OSError as error:
            self._stamp, self._settled = None, False
            raise ValueError(f"{error.strerror}: {self._path}") from None
        self._stamp = _stamp(status)
        self._settled = status.st_mtime_ns + _SETTLES_WITHIN_NS < time.time_ns()
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"expected UTF-8 in {self._path}") from None
        try:
            return self._parse(text)
        except ValueError as error:
            raise ValueError(f"{error} in {self._path}") from None


class Credentials:
    """What a target's requests are signed with and who it is there, as it now stands.

    Args:
        given: those of the configuration itself.
        files: further secrets; a token or a password of a file wins over a given one.
    """

    def __init__(self, given: Mapping[Key, Sequence[str]], files: Sequence[SecretFile] = ()) -> None:
        self._given = {key: tuple(values) for key, values in given.items()}
        self._files = tuple(files)

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that sign and that may have signed."""
        return self._given.get("secret", ()) + self._of_files("secret")

    @property
    def token(self) -> str | None:
        """What is sent as bearer."""
        return self._last("token")

    @property
    def password(self) -> str | None:
        """The password at the mail server."""
        return self._last("password")

    def look(self) -> list[Reread]:
        """Read again what has changed, and return what came of it. It is asked for before each use."""
        return [news for file in self._files if (news := file.look()) is not None]

    def _of_files(self, key: Key) -> tuple[str, ...]:
        return tuple(value for file in self._files if file.key == key for value in file.values)

    def _last(self, key: Key) -> str | None:
        found = self._given.get(key, ()) + self._of_files(key)
        return found[-1] if found else None


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev

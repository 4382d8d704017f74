"""Passwords: which are good, and their hashes (argon2id)."""

from functools import cache

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from gateway.errors import UserError

#: Characters at least: OWASP ASVS 4.0, 2.1.1.
SHORTEST = 12
#: Characters at most; more would only cost time to hash.
LONGEST = 256


@cache
def _hasher() -> PasswordHash:
    # OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane. Whoever tries to log in makes the
    # gateway spend that each time, beside its messages.
    return PasswordHash((Argon2Hasher(memory_cost=19_456, time_cost=2, parallelism=1),))


@cache
def _nobodys() -> str:
    """Return the hash of a password that nobody has."""
    return _hasher().hash("nobody has this password")


def checked_password(password: str, *, name: str) -> str:
    """Return a password that somebody chose.

    Raises:
        UserError: it is too short, too long, or holds the account's name.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise UserError(f"password: expected {SHORTEST} to {LONGEST} characters, got {len(password)}")
    if len(name) >= 4 and name.lower() in password.lower():
        raise UserError("password: expected one without the account's name in it")
    if len(set(password)) < 5:
        raise UserError("password: expected at least five different characters")
    return password


def hash_of(password: str) -> str:
    """Return the hash under which a password is kept. Takes tens of milliseconds, on purpose."""
    return _hasher().hash(password)


def is_password(password: str, kept: str | None) -> bool:
    """Say whether a password is the one that was hashed.

    Takes the same time when there is none (`kept` is None): the time does not tell who has an account.
    """
    if len(password) > LONGEST:
        return False
    try:
        fits = _hasher().verify(password, kept or _nobodys())
    except UnknownHashError:
        return False
    return fits and kept is not None

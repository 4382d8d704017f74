"""Secrets that the gateway makes: ids of sessions, tokens, temporary passwords; only hashes are kept."""

import hashlib
import hmac
import secrets

#: What every token begins with, so that people and scanners of repositories recognise one.
MARK = "fwt_"

#: Characters of a token that are kept to recognise it by: the prefix and 36 of its 256 bits.
SHOWN = 10

#: Without look-alikes, for what is read out and typed.
_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"


def new_secret() -> str:
    """Return 256 random bits as text for URLs and headers."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    """Return a token: its prefix and 256 random bits."""
    return MARK + new_secret()


def new_temporary_password() -> str:
    """Return a password of 79 random bits that can be read out: four groups of four characters."""
    letters = [secrets.choice(_READABLE) for _ in range(16)]
    return "-".join("".join(letters[at : at + 4]) for at in range(0, 16, 4))


def key_of(secret: str) -> str:
    """Return the hash under which a secret of 256 bits is kept.

    Such a secret cannot be guessed, so it needs neither salt nor a slow hash, as passwords do.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare secrets in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())

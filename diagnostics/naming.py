"""Identifiers derived from what they name, so that work done twice writes the same rows."""

import hashlib


def derived(prefix: str, *parts: object) -> str:
    """Return `prefix` and 16 hexadecimal digits (64 bits of SHA-256) of the parts."""
    text = "\0".join(str(part) for part in parts)
    return prefix + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

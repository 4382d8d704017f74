"""Foreign payload formats, one a file."""

from collections.abc import Callable

from gateway.wire.codecs import smartctl
from gateway.wire.codecs.extract import Extract

#: Codecs by the word that stands in the configuration.
CODECS: dict[str, Callable[[object], Extract]] = {"smartctl": smartctl.decode}

__all__ = ["CODECS", "Extract"]

"""Foreign payload formats, one a file."""

from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.smartctl import Smartctl

#: Codecs by the word that stands in the configuration.
CODECS: dict[str, type[Codec]] = {
    "smartctl": Smartctl,
}

__all__ = ["CODECS", "Codec", "Extract", "Foreign"]

"""Foreign payload formats, one a file."""

from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.nvme import Nvme
from gateway.wire.codecs.redfish import Redfish
from gateway.wire.codecs.senml import Senml
from gateway.wire.codecs.smartctl import Smartctl
from gateway.wire.codecs.sparkplug import Sparkplug

#: Codecs by the word that stands in the configuration.
CODECS: dict[str, type[Codec]] = {
    "nvme": Nvme,
    "redfish": Redfish,
    "senml": Senml,
    "smartctl": Smartctl,
    "sparkplug": Sparkplug,
}

__all__ = ["CODECS", "Codec", "Extract", "Foreign"]

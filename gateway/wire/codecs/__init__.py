"""Foreign payload formats, one a file."""

from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.homeassistant import HomeAssistant
from gateway.wire.codecs.homie import Homie
from gateway.wire.codecs.shelly import Shelly
from gateway.wire.codecs.smartctl import Smartctl
from gateway.wire.codecs.tasmota import Tasmota
from gateway.wire.codecs.zigbee2mqtt import Zigbee2Mqtt

#: Codecs by the word that stands in the configuration.
CODECS: dict[str, type[Codec]] = {
    "homeassistant": HomeAssistant,
    "homie": Homie,
    "shelly": Shelly,
    "smartctl": Smartctl,
    "tasmota": Tasmota,
    "zigbee2mqtt": Zigbee2Mqtt,
}

__all__ = ["CODECS", "Codec", "Extract", "Foreign"]

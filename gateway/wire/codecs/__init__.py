"""Foreign payload formats, one a file."""

from gateway.wire.codecs.collectd import Collectd
from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.glances import Glances
from gateway.wire.codecs.homeassistant import HomeAssistant
from gateway.wire.codecs.homie import Homie
from gateway.wire.codecs.json import Json
from gateway.wire.codecs.line_protocol import LineProtocol
from gateway.wire.codecs.nvme import Nvme
from gateway.wire.codecs.prometheus_text import PrometheusText
from gateway.wire.codecs.redfish import Redfish
from gateway.wire.codecs.senml import Senml
from gateway.wire.codecs.shelly import Shelly
from gateway.wire.codecs.smartctl import Smartctl
from gateway.wire.codecs.sparkplug import Sparkplug
from gateway.wire.codecs.tasmota import Tasmota
from gateway.wire.codecs.telegraf_json import TelegrafJson
from gateway.wire.codecs.zigbee2mqtt import Zigbee2Mqtt

#: Codecs by the word that stands in the configuration.
CODECS: dict[str, type[Codec]] = {
    "collectd": Collectd,
    "glances": Glances,
    "homeassistant": HomeAssistant,
    "homie": Homie,
    "json": Json,
    "line_protocol": LineProtocol,
    "nvme": Nvme,
    "prometheus_text": PrometheusText,
    "redfish": Redfish,
    "senml": Senml,
    "shelly": Shelly,
    "smartctl": Smartctl,
    "sparkplug": Sparkplug,
    "tasmota": Tasmota,
    "telegraf_json": TelegrafJson,
    "zigbee2mqtt": Zigbee2Mqtt,
}

__all__ = ["CODECS", "Codec", "Extract", "Foreign"]

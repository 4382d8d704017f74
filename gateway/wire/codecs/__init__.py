"""Foreign payload formats, one a file."""

from gateway.wire.codecs.collectd import Collectd
from gateway.wire.codecs.extract import Codec, Extract, Foreign
from gateway.wire.codecs.glances import Glances
from gateway.wire.codecs.json import Json
from gateway.wire.codecs.line_protocol import LineProtocol
from gateway.wire.codecs.nvme import Nvme
from gateway.wire.codecs.prometheus_text import PrometheusText
from gateway.wire.codecs.redfish import Redfish
from gateway.wire.codecs.senml import Senml
from gateway.wire.codecs.smartctl import Smartctl
from gateway.wire.codecs.sparkplug import Sparkplug
from gateway.wire.codecs.telegraf_json import TelegrafJson

#: Codecs by the word that stands in the configuration.
CODECS: dict[str, type[Codec]] = {
    "collectd": Collectd,
    "glances": Glances,
    "json": Json,
    "line_protocol": LineProtocol,
    "nvme": Nvme,
    "prometheus_text": PrometheusText,
    "redfish": Redfish,
    "senml": Senml,
    "smartctl": Smartctl,
    "sparkplug": Sparkplug,
    "telegraf_json": TelegrafJson,
}

__all__ = ["CODECS", "Codec", "Extract", "Foreign"]

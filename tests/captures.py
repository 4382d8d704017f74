"""The captured messages of real agents in FOREWARN_DATA/captures, and the profiles that read them."""

import base64
import json
import os
import re
from pathlib import Path

import pytest

from gateway.config import SourceTable
from gateway.ports import Packet
from gateway.wire.profiles import profile_names
from gateway.wire.sources import Source

#: When messages arrived that were captured without a time of arrival.
UNDATED = 1_767_225_600_000

#: When whole documents arrive: after all of them were written.
DOCUMENTS_ARRIVE = 1_798_761_600_000

#: What is captured, by the name of its golden file: where, which profiles read it, and the topic on which
#: whole documents come (``{name}`` is the document's file name); messages have topics of their own.
CAPTURES: dict[str, tuple[str, tuple[str, ...], str | None]] = {
    "collectd": ("collectd/full.jsonl", ("collectd",), None),
    "glances-metrics": ("glances/per-metric.jsonl", ("glances",), None),
    "glances-plugins": ("glances/per-plugin.jsonl", ("glances",), None),
    "nodered": ("nodered/full.jsonl", ("nodered",), None),
    "node-exporter": ("node_exporter/text.jsonl", ("node-exporter",), None),
    "smartctl": ("smartctl/*.json", ("smartctl",), "smart/host-1/{name}"),
    "telegraf-smartctl": (
        "telegraf_fixtures/plugins/inputs/smartctl/testcases_device/*/expected.out",
        ("telegraf",),
        "telegraf/host-1/smartctl",
    ),
    "linux2mqtt": ("linux2mqtt/full.jsonl", ("linux2mqtt",), None),
    "psmqtt": ("psmqtt/full.jsonl", ("psmqtt",), None),
    "homie": ("published_by_others/homie.jsonl", ("homie",), None),
    "shelly": ("published_by_others/shelly_gen2.jsonl", ("shelly",), None),
    "tasmota": ("published_by_others/tasmota.jsonl", ("tasmota",), None),
    "zigbee2mqtt": ("published_by_others/zigbee2mqtt.jsonl", ("zigbee2mqtt",), None),
    "senml": ("senml/kpn_senml.jsonl", ("senml",), None),
    "sparkplug-pysparkplug": ("sparkplug/pysparkplug.jsonl", ("sparkplug",), None),
    "sparkplug-tahu": ("sparkplug/tahu_js_sparkplug-client.jsonl", ("sparkplug",), None),
}

#: File systems mounted where the capture was made; they are of no agent's making.
_PRIVATE = re.compile("/df-mnt-")


def folder() -> Path:
    """Return the folder of captures; skip the test, saying so, where it is not there."""
    named = os.environ.get("FOREWARN_DATA")
    if not named:
        pytest.skip("FOREWARN_DATA does not name the folder with captures/")
    return Path(named) / "captures"


def profiles(name: str) -> tuple[str, ...]:
    """Return the profiles that read a capture; skip the test, saying so, where one is not shipped."""
    wanted = CAPTURES[name][1]
    missing = set(wanted) - set(profile_names())
    if missing:
        pytest.skip(f"{name}: no profile {', '.join(sorted(missing))} is shipped")
    return wanted


def source(profile: str) -> Source:
    """Return a shipped profile as the source that one line in the configuration makes."""
    return Source.of(SourceTable.model_validate({"profile": profile}), 0)


def messages(name: str) -> list[Packet]:
    """Return the messages of a capture in order of arrival."""
    where, _, topic = CAPTURES[name]
    paths = sorted(folder().glob(where))
    if not paths:
        pytest.skip(f"{folder()} holds no {where}")
    if topic is None:
        lines = [json.loads(line) for path in paths for line in _lines(path)]
        return [_packet(line, n) for n, line in enumerate(lines) if not _PRIVATE.search(line["topic"])]
    return [Packet(topic.format(name=_word(path)), path.read_bytes(), DOCUMENTS_ARRIVE) for path in paths]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _word(path: Path) -> str:
    return path.stem if path.suffix == ".json" else path.parent.name


def _packet(line: dict, number: int) -> Packet:
    text = line["payload"]
    payload = base64.b64decode(text) if line["enc"] == "base64" else text.encode("utf-8")
    arrival = round(line["t"] * 1000) if "t" in line else UNDATED + number * 1000
    return Packet(line["topic"], payload, arrival, bool(line["retain"]))

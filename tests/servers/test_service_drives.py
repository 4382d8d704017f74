"""Real drives: every captured smartctl document through MQTT, as it is and with its verdict turned round."""

import copy
import json
import os
from pathlib import Path

import pytest
from gateways import gateway
from servers import publish

pytestmark = [pytest.mark.server, pytest.mark.data]

SOURCE = """
[[sources]]
topic = "smart/+/+/+"
codec = "smartctl"
tenant = "{2}"
class = "{3}"
device = "{4}"
"""


@pytest.fixture(scope="module")
def documents():
    folder = os.environ.get("FOREWARN_DATA")
    if folder is None:
        pytest.skip("FOREWARN_DATA does not name the folder with captures/smartctl")
    found = sorted((Path(folder) / "captures" / "smartctl").glob("*.json"))
    if not found:
        pytest.skip(f"{folder} holds no captures/smartctl/*.json")
    assert len(found) > 50
    return {f"{number:03}": json.loads(path.read_text()) for number, path in enumerate(found)}


def verdict(document):
    """Return the drive's own word: True passed, False failed, None when it gives none."""
    return document.get("smart_status", {}).get("passed")


def turned(document):
    """Return the document of the same drive that says of itself that it fails."""
    document = copy.deepcopy(document)
    document["smart_status"] = {**document.get("smart_status", {}), "passed": False}
    return document


def a_day_later(document):
    document = copy.deepcopy(document)
    document["local_time"]["time_t"] += 86_400
    return document


def test_an_order_for_each_that_says_so_and_none_for_the_others(tmp_path, mosquitto, documents):
    with gateway(tmp_path, mosquitto.url, SOURCE) as running:
        polls = [
            (f"smart/acme/{kind}/{name}", document)
            for number, real in documents.items()
            for kind, name, document in (
                ("pc", f"real-{number}", real),
                ("pc", f"real-{number}", a_day_later(real)),
                ("server", f"turned-{number}", turned(real)),
            )
        ]
        publish(mosquitto.url, [(topic, json.dumps(document).encode()) for topic, document in polls])
        running.wait_settled(len(polls))
        assert running.items("quarantine") == []
        expected = {f"turned-{number}" for number in documents}
        expected |= {f"real-{number}" for number, real in documents.items() if verdict(real) is False}
        orders = running.items("orders")
        assert {order["device"]["device"] for order in orders} == expected
        assert len(orders) == len(expected)
        assert {order["fault"]["code"] for order in orders} == {"disk.failing_now"}
        assert all(order["device"]["component"] for order in orders)
        for number in documents:
            assert running.readings(f"acme/pc/real-{number}"), "something was read of each"

"""Messages by HTTP, through a whole gateway: what was answered with 202 is kept, whatever comes after."""

import json

import httpx
import pytest
from gateways import gateway, now_ms
from servers import publish

pytestmark = pytest.mark.server

SUPPLY = {"@odata.id": "/redfish/v1/Chassis/1/Power#/PowerSupplies/0"}
EVENT = {
    "Events": [
        {"MessageId": "Power.1.0.PowerSupplyFailed", "Severity": "Critical", "OriginOfCondition": SUPPLY}
    ]
}
DRIVE = {
    "smartctl": {"exit_status": 8},
    "device": {"name": "/dev/sda", "type": "sat"},
    "serial_number": "S1",
    "smart_status": {"passed": False},
}


def post(running, path, body):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    return httpx.post(f"{running.url}/api/v1/ingest/{path}", content=content, headers=headers, timeout=30)


def test_what_was_answered_is_kept_and_leads_to_an_order(tmp_path, mosquitto):
    with gateway(tmp_path, mosquitto.url) as running:
        assert post(running, "redfish?tenant=acme&device=host-7", EVENT).status_code == 202
        now = now_ms()
        own = {"ts": now, "values": {"cpu.load": 5}}
        assert post(running, "forewarn?tenant=acme&class=pc&device=p-1", own).status_code == 202
        assert post(running, "forewarn?tenant=acme&class=pc&device=p-1", own).status_code == 202  # once more
        assert post(running, "smartctl?tenant=acme&device=host-8", DRIVE).status_code == 202
        assert post(running, "redfish?tenant=acme&device=host-7", b"{").status_code == 202
        running.kill()  # nothing was left to be done
        running.start()
        running.wait_ready()
        readings = {(key, value) for _, key, value in running.readings("acme/server/host-7")}
        assert readings == {("error.code@0", "Power.1.0.PowerSupplyFailed"), ("psu.ok@0", False)}
        assert running.readings("acme/pc/p-1") == [(now, "cpu.load", 5.0)]
        (order,) = running.items("orders")
        assert (order["device"]["device"], order["fault"]["code"]) == ("host-8", "disk.failing_now")
        (put_aside,) = running.items("quarantine")
        assert (put_aside["topic"], put_aside["reason"]) == (
            "$ingest/redfish/acme/server/host-7",
            "malformed_json",
        )


def test_nobody_sends_by_mqtt_what_only_http_can(tmp_path, mosquitto):
    with gateway(tmp_path, mosquitto.url, '[[sources]]\nprofile = "redfish"\ntopic = "#"\n') as running:
        stranger = b'{"cpu.load": 99}'
        publish(mosquitto.url, [("$ingest/forewarn/default/pc/p-1", stranger)])
        publish(mosquitto.url, [("fw/default/pc/p-1/telemetry", b'{"ts": 1, "values": {"cpu.load": 5}}')])
        running.wait_settled(1)
        assert [value for _, _, value in running.readings("default/pc/p-1")] == [5.0]
        assert running.items("quarantine") == []

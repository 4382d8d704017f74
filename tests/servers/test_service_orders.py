"""What people said survives kill -9: an order that was closed stays closed, whatever is read again."""

import httpx
import pytest
from gateways import PATIENCE, Device, gateway, now_ms
from servers import wait_until

pytestmark = pytest.mark.server

MINUTE = 60_000
PACK = """
pack: yard
rules:
  - {id: leak, fault: appliance.leak, when: leak.detected}
  - id: hot
    fault: appliance.overheating
    when: water.temperature > 90
    confirm: {any_of: [{engineer: true}]}
"""


def post(running, path, body=None, status=200):
    answer = httpx.post(
        f"{running.url}/api/v1{path}", json=body, headers={"X-Forewarn-User": "anna"}, timeout=PATIENCE
    )
    assert answer.status_code == status, answer.text
    return answer.json()


def told_of(running):
    """Everything that the API says of cases and orders."""
    cases = [running.get(f"/api/v1/cases/{c['case_id']}").json() for c in running.items("cases")]
    orders = [running.get(f"/api/v1/orders/{o['order_id']}").json() for o in running.items("orders")]
    return cases, orders


@pytest.mark.parametrize("state_is_there", [True, False])
def test_what_was_said_stands_after_a_kill(tmp_path, mosquitto, state_is_there):
    (tmp_path / "yard.yaml").write_text(PACK)
    begun = now_ms() - 30 * MINUTE
    with (
        gateway(tmp_path, mosquitto.url, f'[rules]\npacks = ["{tmp_path}/yard.yaml"]\n') as running,
        Device(mosquitto.url, "acme/appliance/wm-7") as device,
    ):
        device.measure(begun, {"leak.detected": True, "water.temperature": 95.0})
        running.wait_metric("forewarn_orders_opened_total", 1)
        (order,) = running.items("orders")
        suspected = wait_until(
            lambda: running.items("cases", state="suspected"), seconds=PATIENCE, what="the hot case"
        )
        post(running, f"/orders/{order['order_id']}/state", {"state": "inProgress"})
        post(running, f"/orders/{order['order_id']}/close", {"outcome": "repaired", "note": "hose"})
        confirmed = post(running, f"/cases/{suspected[0]['case_id']}/confirm", {"note": "I saw it"})
        before = told_of(running)
        running.kill()
        if not state_is_there:
            (running.data / "state.npz").unlink(missing_ok=True)
        running.start()
        running.wait_ready()
        assert told_of(running) == before

        # The journey goes on from there: the leak ends, comes back, and is the same order again.
        device.measure(begun + MINUTE, {"leak.detected": False})
        device.measure(now_ms(), {"leak.detected": True})
        again = wait_until(
            lambda: [
                o
                for o in running.items("orders")
                if o["order_id"] == order["order_id"] and o["state"] == "submitted"
            ],
            seconds=PATIENCE,
            what="the order to be open again",
        )
        assert len(again) == 1
        assert {o["order_id"] for o in running.items("orders")} == {order["order_id"], confirmed["order_id"]}
        file = running.get(f"/api/v1/orders/{order['order_id']}").json()
        assert [(c["who"], c["after"]) for c in file["changes"]] == [
            ("anna", "inProgress"),
            ("anna", "closed"),
            ("forewarn", "submitted"),
        ]
        refused = post(running, f"/orders/{order['order_id']}/state", {"state": "acknowledged"})
        assert refused["state"] == "acknowledged"


@pytest.mark.parametrize("state_is_there", [True, False])
def test_a_silence_and_what_was_filled_in_stand_after_a_kill(tmp_path, mosquitto, state_is_there):
    (tmp_path / "yard.yaml").write_text(PACK)
    with (
        gateway(tmp_path, mosquitto.url, f'[rules]\npacks = ["{tmp_path}/yard.yaml"]\n') as running,
        Device(mosquitto.url, "acme/appliance/wm-7") as device,
        Device(mosquitto.url, "acme/appliance/wm-8") as other,
    ):
        body = {"tenant": "acme", "match": {"device": "wm-7"}, "for": "1h", "note": "a bench"}
        silence = post(running, "/silences", body, status=201)
        device.measure(now_ms(), {"leak.detected": True})
        other.measure(now_ms(), {"leak.detected": True})
        running.wait_metric("forewarn_orders_opened_total", 1)
        (held,) = wait_until(
            lambda: running.items("cases", reason="silenced"), seconds=PATIENCE, what="the silenced case"
        )
        (order,) = running.items("orders")
        fields = {"fields": {"site.country": "DE"}}
        httpx.patch(f"{running.url}/api/v1/orders/{order['order_id']}", json=fields).raise_for_status()
        before = told_of(running)
        running.kill()
        if not state_is_there:
            (running.data / "state.npz").unlink(missing_ok=True)
        running.start()
        running.wait_ready()
        assert told_of(running) == before
        assert running.items("silences", state="active") == [silence]
        assert [d["device"] for d in running.items("devices")] == ["wm-7", "wm-8"]
        url = f"{running.url}/api/v1/silences/{silence['silence_id']}"
        assert httpx.delete(url, timeout=PATIENCE).json()["state"] == "expired"
        (opened,) = [o for o in running.items("orders") if o["case_id"] == held["case_id"]]
        assert opened["device"]["device"] == "wm-7"

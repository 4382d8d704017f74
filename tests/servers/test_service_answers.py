"""A whole gateway hears a repairer's answer by signed webhook; what it said it had kept survives a kill."""

import json
from datetime import UTC, datetime

import httpx
import pytest
from dispatching import CLOSED, OPENED, SECRET
from gateways import PATIENCE, Device, gateway, now_ms
from receivers import Receiver
from servers import wait_until
from standardwebhooks import Webhook

pytestmark = pytest.mark.server

MINUTE = 60_000


def answer(running, document, identity, secret=SECRET):
    body, at = json.dumps(document), datetime.now(UTC)
    headers = {
        "content-type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(identity, at, body),
    }
    url = f"{running.url}/api/v1/answers/crm"
    return httpx.post(url, content=body, headers=headers, timeout=PATIENCE)


def test_a_technician_s_word_closes_the_order_and_survives_a_kill(tmp_path, mosquitto):
    (tmp_path / "secrets").write_text(f"{SECRET}\n")
    with (
        Receiver() as receiver,
        gateway(
            tmp_path,
            mosquitto.url,
            f'[[dispatch]]\nname = "crm"\nkind = "webhook"\nurl = "{receiver.url}"\n'
            f'secret_file = "{tmp_path}/secrets"\nallow_private = true\n',
        ) as running,
        Device(mosquitto.url, "acme/appliance/wm") as device,
    ):
        begun = now_ms() - 60 * MINUTE
        for minute in range(20):
            device.measure(begun + minute * MINUTE, {"leak.detected": minute > 3})
        running.wait_metric("forewarn_orders_opened_total", 1)
        (order,) = running.items("orders")
        done = {
            "order_id": order["order_id"],
            "outcome": "repaired",
            "parts_used": ["HOSE-3"],
            "note": "hose was worn",
            "who": "J. Moreau",
        }
        stranger = answer(running, done, "msg_1", secret="whsec_" + "B" * 40)
        assert stranger.status_code == 401
        told = answer(running, done, "msg_1")
        assert told.json() == {"order_id": order["order_id"], "state": "closed", "repeated": False}
        running.kill()
        running.start()
        running.wait_ready()
        again = answer(running, done, "msg_1")
        assert again.json() == {"order_id": order["order_id"], "state": "closed", "repeated": True}
        file = running.get(f"/api/v1/orders/{order['order_id']}").json()
        (change,) = file["changes"]
        assert (change["who"], change["by"], change["outcome"]) == ("J. Moreau (crm)", "repairer", "repaired")
        assert change["parts_used"] == [{"part": "HOSE-3", "quantity": 1}]

        def trail():
            return running.items(f"orders/{order['order_id']}/deliveries")

        wait_until(
            lambda: [each["state"] for each in trail()] == ["delivered"] * 2,
            seconds=PATIENCE,
            what="both events at the receiver",
        )
        kinds = [request.document["type"] for request in receiver.requests]
        assert kinds[0] == OPENED
        assert kinds[-1] == CLOSED
        running.terminate()

"""Whole gateways that tell other systems of orders, also when they are killed in between."""

import pytest
from dispatching import OPENED, SECRET
from gateways import PATIENCE, Device, gateway, now_ms
from receivers import HANG, Receiver, Reply
from servers import wait_until
from standardwebhooks import Webhook

pytestmark = pytest.mark.server

MINUTE = 60_000


def configured(url, **more):
    keys = {"name": "crm", "kind": "webhook", "url": url, "secret": SECRET, **more}
    lines = "".join(f'{key} = "{value}"\n' for key, value in keys.items())
    return f"[[dispatch]]\n{lines}allow_private = true\n"


def leaks(device):
    begun = now_ms() - 60 * MINUTE
    for minute in range(20):
        device.measure(begun + minute * MINUTE, {"leak.detected": minute > 3})
    device.wait_taken()


def test_an_order_arrives_although_the_gateway_is_killed_while_it_is_sent(tmp_path, mosquitto):
    with (
        Receiver(HANG) as receiver,
        gateway(tmp_path, mosquitto.url, configured(receiver.url, timeout="10m")) as running,
        Device(mosquitto.url, "acme/appliance/wm") as device,
    ):
        leaks(device)
        wait_until(lambda: receiver.requests, seconds=PATIENCE, what="the first attempt")
        running.kill()
        running.start()
        running.wait_ready()
        running.wait_metric("forewarn_dispatch_total{delivered,crm}", 1)
        (order,) = running.orders()
        first, again = receiver.requests
        assert first.id == again.id
        assert again.document["type"] == OPENED
        assert again.document["data"] == order
        Webhook(SECRET).verify(again.body, again.headers)
        assert running.forewarn("dispatch", "list").stdout == "No dead letters.\n"
        running.terminate()


def test_a_dead_letter_is_sent_again_while_the_gateway_runs(tmp_path, mosquitto):
    with (
        Receiver(Reply(401)) as receiver,
        gateway(tmp_path, mosquitto.url, configured(receiver.url)) as running,
        Device(mosquitto.url, "acme/appliance/wm") as device,
    ):
        leaks(device)
        running.wait_metric("forewarn_dispatch_total{dead,crm}", 1)
        (told,) = running.log("dispatch_dead")
        assert told["detail"] == "answered 401"
        wait_until(
            lambda: running.forewarn("dispatch", "retry", "--all").stdout.startswith("1 dead letter "),
            seconds=PATIENCE,
            what="the dead letter in the ledger",
        )
        running.wait_metric("forewarn_dispatch_total{delivered,crm}", 1)
        assert len(receiver.requests) == 2
        running.terminate()


def test_a_secret_that_cannot_be_read_is_said_before_anything_starts(tmp_path, mosquitto):
    text = '[[dispatch]]\nname = "a"\nkind = "webhook"\nurl = "https://a.example.com"\n'
    text += f'secret_file = "{tmp_path}/s"\n'
    with gateway(tmp_path, mosquitto.url, text, start=False) as running:
        for command in ("run", "check"):
            answer = running.forewarn(command)
            assert (answer.returncode, answer.stdout) == (1, "")
            assert answer.stderr.endswith(
                f":10: dispatch.0.secret_file: No such file or directory: {tmp_path}/s\n"
            )

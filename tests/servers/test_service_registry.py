"""A registry that cannot be read for a while: what must know it waits, and nothing is guessed."""

import sqlite3

import pytest
from gateways import PATIENCE, Device, gateway, now_ms
from servers import start_mosquitto, wait_until

from diagnostics.orders.registry import DeviceEntry, Owner
from gateway.registry_database import RegistryDatabase
from rules.symbols import DeviceId

pytestmark = pytest.mark.server


def registered(path) -> None:
    path.parent.mkdir(parents=True)
    database = RegistryDatabase(path)
    with database.writing():
        database.put_owners([Owner("o", "Anna Weber", "anna@example.org", "de", "Europe/Berlin")])
        database.put_devices(
            [DeviceEntry(DeviceId("acme", "server", f"srv-{n}"), "R740", owner="o") for n in (1, 2)]
        )
    database.close()


def renamed(path, before: str, after: str) -> None:
    """Take a table out of sight of those who have the file open, or bring it back."""
    with sqlite3.connect(path, timeout=30) as connection:
        connection.execute(f"ALTER TABLE {before} RENAME TO {after}")
    connection.close()


def fails(device, begun: int) -> None:
    device.measure(begun, {"disk.smart_passed@sda": True})
    device.measure(begun + 60_000, {"disk.smart_passed@sda": False})


def orders(running, device: str):
    return running.items("orders", device=device)


def complaints(running):
    return [line for line in running.log("outage") if line["what"] == "registry"]


def test_an_order_waits_for_its_owner_and_the_gateway_lives_on(tmp_path):
    broker = start_mosquitto(tmp_path / "mosquitto")
    path = tmp_path / "data" / "registry.db"
    registered(path)
    try:
        with gateway(tmp_path, broker.url) as running, Device(broker.url, "acme/server/srv-1") as one:
            running.wait_ready()
            renamed(path, "devices", "away")
            fails(one, now_ms() - 3_600_000)
            wait_until(lambda: len(complaints(running)) > 1, seconds=PATIENCE, what="complaints")
            assert running.ready(), "it answers meanwhile"
            assert orders(running, "acme/server/srv-1") == []
            renamed(path, "away", "devices")
            (order,) = wait_until(
                lambda: orders(running, "acme/server/srv-1"), seconds=PATIENCE, what="the order"
            )
            assert order["customer"]["owner"] == "Anna Weber"
            assert [line["what"] for line in running.log("restored")] == ["registry"]
            one.wait_taken()

            renamed(path, "devices", "away")
            before = len(complaints(running))
            with Device(broker.url, "acme/server/srv-2") as two:
                fails(two, now_ms() - 3_600_000)
                wait_until(lambda: len(complaints(running)) > before, seconds=PATIENCE, what="complaints")
            running.terminate()
            renamed(path, "away", "devices")
            running.start()
            running.wait_ready()
            (order,) = wait_until(
                lambda: orders(running, "acme/server/srv-2"), seconds=PATIENCE, what="the other order"
            )
            assert order["customer"]["owner"] == "Anna Weber"
    finally:
        broker.kill()

import asyncio
import json
from contextlib import ExitStack

import pytest
from browser.site import open_site
from httpx import ASGITransport, AsyncClient

from gateway.api.app import create_app
from gateway.config import SourceTable
from gateway.errors import OutsideError
from gateway.wire.decoder import Decoder
from gateway.wire.ingest import ingest_sources, offers
from gateway.wire.topics import matches
from rules.signals import load_catalogue
from rules.symbols import Symbols

EVENT = {
    "@odata.type": "#Event.v1_4_0.Event",
    "Events": [
        {
            "MessageId": "Power.1.0.PowerSupplyFailed",
            "MessageSeverity": "Critical",
            "OriginOfCondition": {"@odata.id": "/redfish/v1/Chassis/1/Power#/PowerSupplies/0"},
        }
    ],
}


class Decoding:
    """What is behind the route, short of the stores: it decodes, and keeps what came out of it."""

    def __init__(self, tables=()):
        self.symbols = Symbols()
        self.decoder = Decoder(self.symbols, load_catalogue(), sources=ingest_sources(tables))
        self.packets = []
        self.kept = asyncio.Event()
        self.kept.set()
        self.called = asyncio.Event()
        self.ending = False

    async def submit(self, packets):
        if self.ending:
            raise OutsideError("the gateway is ending")
        self.called.set()
        await self.kept.wait()
        self.packets += packets

    def said(self):
        """Return the devices with their readings, and the reasons of what was put aside."""
        inbound = self.decoder.decode(self.packets)
        readings = inbound.readings
        found = [
            (str(self.symbols.devices[readings.device[message]]), str(self.symbols.channels[channel]))
            for message, channel in zip(readings.message, readings.channel, strict=True)
        ]
        return found, [rejected.reason for rejected in inbound.rejected]


class Door:
    """The application over an intake."""

    def __init__(self, site, tables=(), **changes):
        self.intake = Decoding(tables)
        self.site = site
        self.app = create_app(
            **{
                "ledger": site.ledger,
                "history": site.history,
                "events": site.events,
                "health": site.health,
                "pipeline_rules": None,
                "changes": site.feed,
                "clock": site.clock,
                "intake": self.intake,
                "offered": offers(tables),
                "max_payload": 2_000,
            }
            | changes
        )

    async def post(self, path, body=EVENT, **headers):
        transport = ASGITransport(self.app, raise_app_exceptions=False)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.post(f"/api/v1/ingest/{path}", content=content, headers=headers)


@pytest.fixture
def site(tmp_path):
    with ExitStack() as stack:
        yield open_site(tmp_path, stack, seeded=False)


async def test_a_redfish_event_goes_the_way_of_every_message(site):
    door = Door(site)
    response = await door.post("redfish?device=host-7&tenant=acme")
    assert response.status_code == 202
    assert response.json() == {"topic": "$ingest/redfish/acme/server/host-7"}
    assert [packet.arrival for packet in door.intake.packets] == [site.clock.now()]
    readings, reasons = door.intake.said()
    assert readings == [("acme/server/host-7", "psu.ok@0"), ("acme/server/host-7", "error.code@0")]
    assert reasons == []


async def test_a_device_sends_its_own_telemetry(site):
    door = Door(site)
    response = await door.post("forewarn?class=pc&device=p-1", {"ts": 1, "values": {"cpu.load": 3}})
    assert response.status_code == 202
    assert door.intake.said() == ([("default/pc/p-1", "cpu.load")], [])


@pytest.mark.parametrize(
    ("query", "device"), [("", "default/appliance/urn:dev:ow:1a"), ("?device=f-1", "default/appliance/f-1")]
)
async def test_a_message_may_name_its_device_and_the_request_another(site, query, device):
    door = Door(site)
    assert (await door.post(f"senml{query}", [{"n": "urn:dev:ow:1a:temp", "v": 1}])).status_code == 202
    assert door.intake.said() == ([(device, "temp")], [])


async def test_what_is_of_no_use_is_put_aside_like_any_message(site):
    door = Door(site)
    assert (await door.post("redfish?device=host-7", b"{")).status_code == 202
    assert door.intake.said() == ([], ["malformed_json"])


async def test_names_and_defaults_of_a_configured_source_count_here_too(site):
    table = {
        "profile": "senml",
        "topic": "x/+",
        "tenant": "acme",
        "class": "pc",
        "device": "{2}",
        "signals": {"temp": "cpu.temperature"},
    }
    door = Door(site, [SourceTable.model_validate(table)])
    assert (
        await door.post("senml", [{"n": "temp", "v": 1}])
    ).status_code == 422  # its device is of the topic
    assert (await door.post("senml?device=p-1", [{"n": "temp", "v": 1}])).status_code == 202
    assert door.intake.said() == ([("acme/pc/p-1", "cpu.temperature")], [])


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("redfish", "device: expected among the query's parameters"),
        ("forewarn?device=p-1", "class: expected among the query's parameters"),
        ("forewarn?class=pc", "device: expected among the query's parameters"),
        ("redfish?device=a/b", "device: expected 1 to 64 of A-Z a-z 0-9 _ . : -, got 'a/b'"),
        ("redfish?device=*", "device: expected 1 to 64 of A-Z a-z 0-9 _ . : -, got '*'"),
        ("redfish?device=h&tenant=%2B", "tenant: expected 1 to 64"),
        ("redfish?device=h&class=tractor", "expected class phone, pc, server, appliance, got 'tractor'"),
    ],
)
async def test_it_has_to_be_told_whose_a_message_is(site, path, detail):
    door = Door(site)
    response = await door.post(path)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"].startswith(detail)
    assert door.intake.packets == []


@pytest.mark.parametrize("name", ["nothing", "sparkplug", "FOREWARN"])
async def test_a_format_that_is_not_there_or_lives_by_its_topics(site, name):
    response = await Door(site).post(f"{name}?device=h")
    assert response.status_code == 404
    assert "forewarn, " in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"x" * 2_000, {}, 202),
        (b"x" * 2_001, {}, 413),
        (b"{}", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {"content-type": "multipart/form-data; boundary=x"}, 415),
        (b"{}", {"content-encoding": "gzip"}, 415),
        (b"{}", {"content-type": "application/json; charset=utf-8"}, 202),
        (b"{}", {"content-type": "application/senml+cbor"}, 202),
        (b"{}", {"origin": "http://evil.example"}, 403),
    ],
)
async def test_what_may_be_in_a_request(site, body, headers, status):
    door = Door(site)
    assert (await door.post("redfish?device=h", body, **headers)).status_code == status
    assert len(door.intake.packets) == (status == 202)


async def test_the_answer_comes_once_the_message_is_kept(site):
    door = Door(site)
    door.intake.kept.clear()
    answer = asyncio.create_task(door.post("redfish?device=h"))
    await door.intake.called.wait()
    assert not answer.done()
    door.intake.kept.set()
    assert (await answer).status_code == 202


async def refused(door):
    response = await door.post("redfish?device=h")
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    return response.json()["detail"]


async def test_what_is_not_kept_in_time_may_be_sent_again(site, monkeypatch):
    monkeypatch.setattr("gateway.api.ingest.KEPT_WITHIN", 0.01)
    door = Door(site)
    door.intake.kept.clear()
    assert await refused(door) == "not kept within 0.01 s"
    door.intake.kept.set()
    assert (await door.post("redfish?device=h")).status_code == 202


async def test_no_more_wait_than_memory_is_set_aside_for(site, monkeypatch):
    monkeypatch.setattr("gateway.api.ingest.MOST_WAITING", 1)
    door = Door(site)
    door.intake.kept.clear()
    first = asyncio.create_task(door.post("redfish?device=h"))
    await door.intake.called.wait()
    assert await refused(door) == "1 messages wait to be kept already"
    door.intake.kept.set()
    assert (await first).status_code == 202


async def test_a_gateway_that_is_not_ready_or_ending_or_not_there(site):
    door = Door(site)
    door.intake.ending = True
    assert await refused(door) == "the gateway is ending"
    site.health.readiness = (False, "not subscribed at the broker")
    assert await refused(door) == "not subscribed at the broker"
    site.health.readiness = (True, "ready")
    assert await refused(Door(site, intake=None)) == "no gateway is at work here"


@pytest.mark.parametrize("pattern", ["#", "+/#", "+/redfish/acme/server/h"])
def test_no_subscription_of_ours_takes_such_a_topic_from_a_broker(pattern):
    assert not matches(pattern, "$ingest/redfish/acme/server/h")
    decoder = Decoder(Symbols(), load_catalogue(), sources=ingest_sources())
    assert decoder.foreign == []

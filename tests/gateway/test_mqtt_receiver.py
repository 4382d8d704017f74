import asyncio
import contextlib
import shutil
import socket
import struct
import subprocess

import pytest
from servers import free_port, publish, start_mosquitto

from gateway.clock import SystemClock
from gateway.errors import OutsideError, UserError
from gateway.events import Events
from gateway.mqtt.addresses import BrokerAddress
from gateway.mqtt.embedded import EmbeddedBroker
from gateway.mqtt.receiver import Ours, Receiver
from gateway.ports import Packet
from gateway.wire.topics import commands, subscriptions

pytestmark = pytest.mark.server

TOPIC = "fw/acme/pc/p-1/telemetry"
SECONDS = 20


@pytest.fixture(params=["mosquitto", "embedded"])
async def broker(request, tmp_path, monkeypatch):
    if request.param == "mosquitto":
        running = start_mosquitto(tmp_path / "mosquitto", extra="max_inflight_messages 0")
        yield running
        running.kill()
    else:
        monkeypatch.setattr("gateway.mqtt.embedded.ACK_WAIT", "2s")  # tests have less patience
        async with EmbeddedBroker(tmp_path) as running:
            yield running


class RecordedEvents(Events):
    """Events whose outages can be read."""

    def __init__(self):
        super().__init__()
        self.outages = []

    def outage(self, *, what, detail, retry_in):
        super().outage(what=what, detail=detail, retry_in=retry_in)
        self.outages.append(detail)


def a_receiver(url, **changes):
    settings = {
        "client_id": "gateway-1",
        "filters": subscriptions("fw"),
        "clock": SystemClock(),
        "events": Events(),
        "first_pause": 0.05,
    }
    return Receiver(BrokerAddress.of(url), **(settings | changes))


@contextlib.asynccontextmanager
async def receiving(url, **changes):
    """A receiver that is subscribed; cancelled without a word, as a killed process would leave it."""
    receiver = a_receiver(url, **changes)
    async with asyncio.timeout(SECONDS * 3):
        running = asyncio.create_task(receiver.run())
        try:
            await until(lambda: receiver.subscribed or running.done())
            yield receiver
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


async def until(condition):
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110  (a condition of another process)
            await asyncio.sleep(0.01)


async def take_all(receiver, number, *, acknowledge=True):
    packets = []
    async with asyncio.timeout(SECONDS):
        while len(packets) < number:
            batch = await receiver.take(1000)
            packets += batch.packets
            if acknowledge:
                batch.acknowledge()
    return packets


def numbered(first, last):
    return [(TOPIC, str(number).encode()) for number in range(first, last)]


def numbers(packets):
    return [int(packet.payload) for packet in packets]


async def test_what_was_not_acknowledged_comes_again_in_the_next_session(broker):
    async with receiving(broker.url) as receiver:
        await asyncio.to_thread(publish, broker.url, numbered(0, 10))
        first = await receiver.take(4)
        await until(lambda: receiver.waiting >= 10 - len(first))
        rest = await receiver.take(100)
        assert numbers([*first.packets, *rest.packets]) == list(range(10))
        first.acknowledge()
        await asyncio.to_thread(publish, broker.url, [("fw/acme/pc/p-1/status", b"flush")])
        await take_all(receiver, 1)  # the broker has read what came before this one's acknowledgement
    async with receiving(broker.url) as receiver:
        again = await take_all(receiver, 10 - len(first))
        assert numbers(again) == list(range(len(first), 10))
    async with receiving(broker.url) as receiver:
        await asyncio.to_thread(publish, broker.url, numbered(10, 11))
        assert numbers(await take_all(receiver, 1)) == [10]


async def test_what_comes_while_the_gateway_is_down_waits_at_the_broker(broker):
    async with receiving(broker.url):
        pass
    await asyncio.to_thread(publish, broker.url, numbered(0, 50))
    async with receiving(broker.url) as receiver:
        assert numbers(await take_all(receiver, 50)) == list(range(50))


async def test_ten_thousand_messages_of_a_backlog_come_once_and_in_order(broker):
    async with receiving(broker.url):
        pass
    await asyncio.to_thread(publish, broker.url, numbered(0, 10_000))
    async with receiving(broker.url) as receiver:
        assert numbers(await take_all(receiver, 10_000)) == list(range(10_000))
        arrivals = [packet.arrival for packet in await take_all(receiver, 0)]
        assert arrivals == sorted(arrivals)


async def test_all_that_has_arrived_is_handed_over_at_once(mosquitto):
    async with receiving(mosquitto.url) as receiver:
        await asyncio.to_thread(publish, mosquitto.url, numbered(0, 20))
        await until(lambda: receiver.waiting == 20)
        assert len(await receiver.take(15)) == 15
        assert len(await receiver.take(15)) == 5


async def test_retained_messages_say_so(broker):
    facts = "fw/acme/pc/p-1/facts"
    await asyncio.to_thread(publish, broker.url, [(facts, b'{"model":"M"}')], retain=True)
    async with receiving(broker.url) as receiver:
        (packet,) = await take_all(receiver, 1)
        assert (packet.topic, packet.payload, packet.retained) == (facts, b'{"model":"M"}', True)
        await asyncio.to_thread(publish, broker.url, numbered(0, 1))
        (packet,) = await take_all(receiver, 1)
        assert not packet.retained


async def test_mistaken_topics_arrive_and_our_own_commands_do_not_come_back(broker):
    mistaken = ["fw/acme/pc/p-1/telemetri", "fw/acme/p-1/telemetry", "fw/acme/pc/p-1/telemetry/more", "fw/x"]
    command = ("fw/acme/pc/p-1/command", b"{}")
    events = Events()
    async with receiving(broker.url, ours=Ours(b"/command", commands("fw")), events=events) as receiver:
        sent = [command, *((topic, b"1") for topic in mistaken), command, (TOPIC, b"2")]
        await asyncio.to_thread(publish, broker.url, sent)
        packets = await take_all(receiver, 5)
        await asyncio.to_thread(publish, broker.url, [command], qos=0)
        await asyncio.to_thread(publish, broker.url, [(TOPIC, b"3")])
        packets += await take_all(receiver, 1)
    assert [packet.topic for packet in packets] == [*mistaken, TOPIC, TOPIC]
    assert events.registry.get_sample_value("forewarn_messages_received_total") == 6
    async with receiving(broker.url) as receiver:  # all was acknowledged: nothing of it comes again
        await asyncio.to_thread(publish, broker.url, [(TOPIC, b"4")])
        assert [packet.payload for packet in await take_all(receiver, 1)] == [b"4"]


async def test_names_with_dots_and_colons_arrive_as_they_are(broker):
    topic = "fw/a.c:me/server/srv.1:2_x-y/telemetry"
    async with receiving(broker.url) as receiver:
        await asyncio.to_thread(publish, broker.url, [(topic, b"1")])
        (packet,) = await take_all(receiver, 1)
        assert packet.topic == topic


async def test_a_megabyte_arrives_cut_and_the_connection_stands(broker):
    async with receiving(broker.url, max_payload=1000) as receiver:
        await asyncio.to_thread(publish, broker.url, [(TOPIC, b"x" * 1_000_000), (TOPIC, b"1")])
        large, small = await take_all(receiver, 2)
        assert large.payload == b"x" * 1001
        assert small.payload == b"1"
        assert receiver.subscribed


async def test_after_a_broken_connection_nothing_is_missing_and_old_acknowledgements_are_not_sent(broker):
    spans = []
    async with receiving(broker.url, on_listening=lambda on, _at: spans.append(on)) as receiver:
        await asyncio.to_thread(publish, broker.url, numbered(0, 5))
        await until(lambda: receiver.waiting == 5)
        held = await receiver.take(3)
        receiver._session._client._connection._transport.abort()
        await until(lambda: spans == [True, False, True])
        # The two that were waiting here are still given; what was not acknowledged the broker sends again.
        assert numbers((await receiver.take(2)).packets) == [3, 4]
        held.acknowledge()
        await asyncio.to_thread(publish, broker.url, numbered(5, 6))
        seen = set()
        while seen != {0, 1, 2, 3, 4, 5}:
            seen |= set(numbers(await take_all(receiver, 1)))


async def test_a_broker_that_restarts_is_found_again_with_its_session(tmp_path):
    broker = start_mosquitto(tmp_path / "mosquitto")
    events = RecordedEvents()
    try:
        async with receiving(broker.url, events=events) as receiver:
            await asyncio.to_thread(publish, broker.url, numbered(0, 3))
            await take_all(receiver, 3)
            broker.stop()
            await until(lambda: not receiver.connected)
            broker.restart()
            await until(lambda: receiver.subscribed)
            await asyncio.to_thread(publish, broker.url, numbered(3, 6))
            seen = []
            while seen[-3:] != [3, 4, 5]:  # before them may come what the old broker had not heard of
                seen += numbers(await take_all(receiver, 1))
            assert set(seen[:-3]) <= {0, 1, 2}
        assert "connection was lost" in events.outages[0]
    finally:
        broker.kill()


async def test_a_broker_that_is_not_there_at_start_is_waited_for(tmp_path):
    port = free_port()
    events = RecordedEvents()
    receiver = a_receiver(f"mqtt://127.0.0.1:{port}", events=events)
    running = asyncio.create_task(receiver.run())
    await until(lambda: len(events.outages) >= 2)
    assert not receiver.connected
    broker = start_mosquitto(tmp_path / "mosquitto", port)
    try:
        await until(lambda: receiver.subscribed)
    finally:
        running.cancel()
        broker.kill()


async def test_a_refused_subscription_names_the_filter(tmp_path):
    async with EmbeddedBroker(tmp_path) as broker:
        # Sixteen filters that end in # exceed the packet identifiers of one session.
        filters = [f"foreign/{number}/#" for number in range(16)]
        with pytest.raises(OutsideError) as raised:
            async with asyncio.timeout(SECONDS):
                await a_receiver(broker.url, filters=filters).run()
        assert "foreign/15/#" in str(raised.value)
        assert "foreign/0/#" not in str(raised.value)


async def test_a_wrong_password_is_said_and_tried_again(tmp_path):
    (tmp_path / "passwords").write_text("")
    broker = start_mosquitto(tmp_path / "mosquitto", extra="")
    conf = broker.folder / "mosquitto.conf"
    conf.write_text(conf.read_text().replace("allow_anonymous true", "allow_anonymous false"))
    broker.restart()
    events = RecordedEvents()
    running = asyncio.create_task(a_receiver(broker.url, events=events).run())
    try:
        await until(lambda: len(events.outages) >= 2)
        assert "not authori" in events.outages[0].lower()
        assert not running.done()
    finally:
        running.cancel()
        broker.kill()


async def test_a_full_buffer_stops_the_reading_and_empties_again(mosquitto):
    async with receiving(mosquitto.url, max_waiting=100) as receiver:
        payload = b"x" * 10_000
        await asyncio.to_thread(publish, mosquitto.url, [(TOPIC, payload)] * 2000, qos=0)
        publish(mosquitto.url, numbered(0, 1))
        await until(lambda: receiver.waiting >= 100)
        # One read of the socket may pass the mark; what the broker holds stays there.
        for _ in range(20):
            await asyncio.sleep(0.01)
            assert receiver.waiting < 200
        assert receiver.connected
        # The broker keeps a thousand messages of QoS 0 for us; the numbered one may overtake them, since it
        # came on another connection.
        payloads = []
        async with asyncio.timeout(SECONDS):
            while b"0" not in payloads or len(payloads) <= 500:
                batch = await receiver.take(50)
                payloads += [packet.payload for packet in batch.packets]
                batch.acknowledge()


async def serve_by_hand(script):
    """A broker of a few lines, of MQTT 3.1.1: answers CONNECT, SUBSCRIBE, then runs a script."""

    async def client(reader, writer):
        connect = await reader.read(1000)
        if connect[8] == 5:  # the version
            writer.write(b"\x20\x02\x00\x01")
            writer.close()
            return
        writer.write(b"\x20\x02\x01\x00")
        subscribe = await reader.read(1000)
        writer.write(b"\x90\x03" + subscribe[2:4] + b"\x01")
        with contextlib.suppress(ConnectionError):
            await script(reader, writer)
        writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    return server, f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def on_the_wire(payload, identifier, *, duplicate=False):
    topic = TOPIC.encode()
    body = struct.pack("!H", len(topic)) + topic + struct.pack("!H", identifier) + payload
    return bytes([0x3A if duplicate else 0x32, len(body)]) + body


async def test_a_message_sent_again_while_it_is_still_here_is_taken_once():
    acknowledged = asyncio.Queue()

    async def script(reader, writer):
        writer.write(on_the_wire(b"1", 7) + on_the_wire(b"2", 8))
        writer.write(on_the_wire(b"1", 7, duplicate=True) + on_the_wire(b"3", 9))
        while data := await reader.read(100):
            await acknowledged.put(data)

    server, url = await serve_by_hand(script)
    async with server, receiving(url, filters=["fw/#"]) as receiver:
        packets = await take_all(receiver, 3)
        assert numbers(packets) == [1, 2, 3]
        assert await acknowledged.get() == b"\x40\x02\x00\x07\x40\x02\x00\x08\x40\x02\x00\x09"


async def test_an_identifier_given_to_a_new_message_is_acknowledged_for_the_new_one_alone():
    acknowledged = asyncio.Queue()
    go_on = asyncio.Event()

    async def script(reader, writer):
        writer.write(on_the_wire(b"1", 7))
        await go_on.wait()
        writer.write(on_the_wire(b"2", 7))
        while data := await reader.read(100):
            await acknowledged.put(data)

    server, url = await serve_by_hand(script)
    async with server, receiving(url, filters=["fw/#"]) as receiver:
        old = await receiver.take(1)
        go_on.set()
        new = await receiver.take(1)
        old.acknowledge()
        new.acknowledge()
        assert await acknowledged.get() == b"\x40\x02\x00\x07"
        assert acknowledged.empty()


async def test_a_broker_that_talks_nonsense_is_left_and_tried_again():
    async def script(reader, writer):
        writer.write(b"\x30\xff\xff\xff\xff\xff\xff")
        await reader.read(100)

    server, url = await serve_by_hand(script)
    events = RecordedEvents()
    async with server:
        running = asyncio.create_task(a_receiver(url, filters=["fw/#"], events=events).run())
        await until(lambda: len(events.outages) >= 2)
        assert not running.done()
        running.cancel()


async def test_a_port_that_never_answers_does_not_hold_the_receiver(monkeypatch):
    monkeypatch.setattr("gateway.mqtt.session.CONNECT_SECONDS", 0.2)
    events = RecordedEvents()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        running = asyncio.create_task(
            a_receiver(f"mqtt://127.0.0.1:{silent.getsockname()[1]}", events=events).run()
        )
        await until(lambda: len(events.outages) >= 2)
        running.cancel()
    assert "no answer within" in events.outages[0]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", ("broker", 1883, False, None)),
        ("mqtts://broker", ("broker", 8883, True, None)),
        ("mqtt://me:p%40ss@10.0.0.1:99/", ("10.0.0.1", 99, False, "me")),
        ("mqtt://[::1]:5", ("::1", 5, False, None)),
    ],
)
def test_addresses(url, expected):
    address = BrokerAddress.of(url)
    assert (address.host, address.port, address.tls, address.username) == expected
    assert "p@ss" not in repr(address)
    assert "me" not in address.url.partition("//")[2].partition(":")[0] or expected[3] is None


@pytest.mark.parametrize("url", ["http://x", "mqtt://", "mqtt://x:99999", "embedded"])
def test_wrong_addresses_say_what_was_expected(url):
    with pytest.raises(UserError, match="expected mqtt://HOST:PORT"):
        BrokerAddress.of(url)


async def test_an_encrypted_connection_trusts_the_systems_authorities_alone(tmp_path, monkeypatch):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    await asyncio.to_thread(
        subprocess.run,
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            *subject,
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    port = free_port()
    broker = start_mosquitto(
        tmp_path / "mosquitto", extra=f"listener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}"
    )
    try:
        events = RecordedEvents()
        running = asyncio.create_task(a_receiver(f"mqtts://localhost:{port}", events=events).run())
        await until(lambda: events.outages)
        running.cancel()
        assert "certificate verify failed" in events.outages[0]

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # where OpenSSL finds the authorities
        async with receiving(f"mqtts://localhost:{port}") as receiver:
            await asyncio.to_thread(publish, broker.url, numbered(0, 3))
            assert numbers(await take_all(receiver, 3)) == [0, 1, 2]
    finally:
        broker.kill()


async def test_a_stock_mosquitto_sends_more_than_its_twenty_to_one_that_speaks_mqtt_5(tmp_path):
    broker = start_mosquitto(tmp_path / "mosquitto")
    try:
        async with receiving(broker.url) as receiver:
            await asyncio.to_thread(publish, broker.url, numbered(0, 500))
            await until(lambda: receiver.waiting == 500)
            batch = await receiver.take(1_000)
            assert numbers(batch.packets) == list(range(500))
            batch.acknowledge()
        async with receiving(broker.url, versions=(4,)) as receiver:
            await asyncio.to_thread(publish, broker.url, numbered(500, 600))
            await until(lambda: receiver.waiting == 20)
            batch = await receiver.take(1_000)
            assert numbers(batch.packets) == list(range(500, 520))
            batch.acknowledge()
            assert numbers(await take_all(receiver, 1))[0] == 520, "the others come after an acknowledgement"
    finally:
        broker.kill()


async def test_what_was_submitted_is_told_once_it_is_kept_or_that_it_never_will_be(broker):
    async with receiving(broker.url) as receiver:
        packet = Packet("fw/acme/pc/p-1/telemetry", b"1", 5)
        submitting = asyncio.create_task(receiver.submit([packet]))
        batch = await receiver.take(10)
        assert numbers(batch.packets) == [1]
        assert not submitting.done()
        batch.acknowledge()
        await submitting
        refused = asyncio.create_task(receiver.submit([packet]))
        await until(lambda: receiver.waiting)
        receiver.refuse("the gateway is ending")
        with pytest.raises(OutsideError, match="is ending"):
            await refused

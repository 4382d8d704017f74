"""What devices send wrong, through a real broker into a running gateway: put aside, told, gone on from."""

import base64
import json
from pathlib import Path

import pytest
from gateways import PATIENCE, Device, gateway, now_ms
from servers import publish, start_mosquitto, wait_until

pytestmark = pytest.mark.server

PAYLOADS = Path(__file__).parent.parent / "golden" / "payloads"
YEAR_2100 = 4_102_444_800_000


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One gateway for all: what one test sends wrong must not trouble the next."""
    folder = tmp_path_factory.mktemp("input")
    broker = start_mosquitto(folder / "mosquitto")
    try:
        with gateway(folder, broker.url) as gateway_:
            gateway_.broker = broker.url
            yield gateway_
    finally:
        broker.kill()


def test_a_mistake_in_a_topic_is_put_aside_with_its_name_and_commands_are_not(running):
    topic = "fw/acme/pc/mistaken/telemetri"
    publish(running.broker, [("fw/acme/pc/mistaken/command", b"{}"), (topic, b'{"cpu.load": 1}')])
    found = wait_until(
        lambda: [i for i in running.items("quarantine") if "mistaken" in i["topic"]],
        seconds=PATIENCE,
        what="the mistake in the quarantine",
    )
    assert [(item["topic"], item["reason"]) for item in found] == [(topic, "bad_topic")]


BAD = {
    "cut": (b'{"ts": 1, "values": {"cpu.load"', "malformed_json"),
    "a_word": (b"hello", "malformed_json"),
    "empty": (b"", "empty_payload"),
    "not_utf8": (b'{"values": {"error.code": "\xff\xfe"}}', "not_utf8"),
    "a_number": (b"17", "not_an_object"),
    "a_text": (b'"warm"', "not_an_object"),
    "an_object": (b'{"values": {"cpu.load": {"deep": 1}}}', "wrong_type"),
    "a_list": (b'{"values": {"cpu.load": [1]}}', "wrong_type"),
    "text_for_number": (b'{"values": {"cpu.load": "much"}}', "wrong_kind"),
    "nan": (b'{"values": {"cpu.load": NaN}}', "not_a_number"),
    "infinite": (b'{"values": {"cpu.load": 1e999}}', "out_of_range"),
    "400_digits": (b'{"values": {"cpu.load": 1%s}}' % (b"0" * 400), "out_of_range"),
    "year_2100": (b'{"ts": %d, "values": {"cpu.load": 1}}' % YEAR_2100, "timestamp_in_future"),
    "year_2100_text": (b'{"ts": "2100-01-01T00:00:00Z", "values": {"cpu.load": 1}}', "timestamp_in_future"),
    "time_words": (b'{"ts": "yesterday", "values": {"cpu.load": 1}}', "timestamp_invalid"),
    "brackets": (b"[" * 100_000, "too_deep"),
    "braces": (b'{"a":' * 50_000, "too_deep"),
    "one_megabyte": (b'{"values": {"error.code": "%s"}}' % (b"x" * 1_000_000), "payload_too_large"),
    "long_text": (b'{"values": {"error.code": "%s"}}' % (b"x" * 300), "text_too_long"),
    "nul_in_text": (b'{"values": {"error.code": "a\\u0000b"}}', "bad_text"),
    "bad_key": (b'{"values": {"cpu load": 1}}', "bad_key"),
}


@pytest.mark.parametrize("name", BAD)
def test_it_is_put_aside_with_its_reason_and_the_gateway_goes_on(running, name):
    payload, reason = BAD[name]
    before = running.metrics()
    with Device(running.broker, f"acme/pc/bad-{name}") as device:
        device.send("telemetry", payload)
        device.measure(now_ms() + 1_000, {"cpu.load": 17})  # not at the very instant of the bad one
        device.wait_taken()
    running.wait_settled(running.settled(before) + 2)
    counter = f"forewarn_messages_quarantined_total{{{reason}}}"
    assert running.metric(counter) == before[counter] + 1
    (row,) = [row for row in running.items("quarantine") if f"bad-{name}/" in row["topic"]]
    assert row["reason"] == reason
    assert row["topic"] == f"fw/acme/pc/bad-{name}/telemetry"
    assert len(row["detail"]) > 10
    assert len(row["payload"]) < 20_000
    assert payload.decode(errors="replace").startswith(row["payload"][:100])
    assert running.readings(device.name)[-1][1:] == ("cpu.load", 17)
    assert running.get("/readyz").status_code == 200
    assert running.get("/healthz").status_code == 200


def test_topics_that_name_no_device(running):
    before = running.metrics()
    message = json.dumps({"ts": now_ms(), "values": {"cpu.load": 1}}).encode()
    publish(
        running.broker,
        [
            ("fw/acme/toaster/t-1/telemetry", message),
            ("fw/acme/pc/no blanks please/telemetry", message),
            ("fw/ac*me/pc/p-1/telemetry", message),
        ],
    )
    running.wait_settled(running.settled(before) + 3)
    after = running.metrics()
    for reason, count in (("unknown_class", 1), ("bad_identifier", 2)):
        name = f"forewarn_messages_quarantined_total{{{reason}}}"
        assert after[name] - before[name] == count
    toaster = next(row for row in running.items("quarantine") if "toaster" in row["topic"])
    assert toaster["detail"] == "expected class phone, pc, server, appliance, got 'toaster'"


def test_good_readings_beside_bad_ones_are_kept(running):
    begun = now_ms() - 600_000
    document = (
        f'[{{"ts": {begun}, "values": {{"cpu.load": 1, "cpu.temperature@0": NaN}}}},'
        f'{{"ts": {YEAR_2100}, "values": {{"cpu.load": 2}}}},'
        f'"and now for something else",'
        f'{{"ts": {begun + 2}, "values": {{"cpu.load": 1e999, "fan.rpm@1": 900, "error.code": []}}}},'
        f'{{"ts": {begun + 3}, "values": {{"cpu.load": 4}}}}]'
    )
    before = running.metrics()
    with Device(running.broker, "acme/pc/mixed") as device:
        device.send("telemetry", document.encode())
        device.wait_taken()
    running.wait_settled(running.settled(before) + 1)
    kept = [
        (ts - begun, signal, value)
        for ts, signal, value in running.readings(device.name)
        if value is not None
    ]
    assert kept == [(0, "cpu.load", 1), (2, "fan.rpm@1", 900), (3, "cpu.load", 4)]
    rows = [row for row in running.items("quarantine") if "/mixed/" in row["topic"]]
    assert sorted(row["reason"] for row in rows) == [
        "not_a_number",
        "not_an_object",
        "out_of_range",
        "timestamp_in_future",
        "wrong_type",
    ]


def test_a_burst_without_times_is_kept_whole(running):
    """Bare key-value pairs, as ThingsBoard's devices send them, faster than a clock of milliseconds ticks."""
    with Device(running.broker, "acme/phone/bare") as device:
        for number in range(500):
            device.say("telemetry", {"battery.level": number / 10})
        device.wait_taken()
        wait_until(lambda: len(running.readings(device.name)) >= 500, seconds=PATIENCE, what="all readings")
    assert [value for _, _, value in running.readings(device.name)] == [number / 10 for number in range(500)]


def test_facts_status_and_replies_of_no_use(running):
    before = running.metrics()
    with Device(running.broker, "acme/server/confused") as device:
        device.send("facts", b"[1, 2]")
        device.send("facts", b'{"model": {"is": "deep"}, "serial": "S-1"}')
        device.send("status", b'{"online": "perhaps"}')
        device.send("reply", b'{"id": "P-1", "state": "confused"}')
        device.send("reply", b'{"state": "passed"}')
        device.send("reply", b'{"id": "P-1", "state": "passed"}')
        device.wait_taken()
    running.wait_settled(running.settled(before) + 6)
    rows = [row for row in running.items("quarantine") if "/confused/" in row["topic"]]
    assert sorted((row["topic"].rpartition("/")[2], row["reason"]) for row in rows) == [
        ("facts", "not_an_object"),
        ("facts", "wrong_type"),
        ("reply", "unknown_probe"),
        ("reply", "unknown_state"),
        ("reply", "wrong_type"),
        ("status", "wrong_type"),
    ]
    shown = running.get(f"/api/v1/devices/{device.name}").json()
    assert shown["facts"] == {"serial": "S-1"}


def golden_payloads():
    """Return the golden payloads' bytes; they stand there as text, base64, or runs of one sign."""
    for path in sorted(PAYLOADS.glob("*.json")):
        pieces = json.loads(path.read_text()).get("payload", "")
        payload = b""
        for piece in [pieces] if isinstance(pieces, str) else pieces:
            match piece:
                case str():
                    payload += piece.encode()
                case {"repeat": sign, "times": times}:
                    payload += sign.encode() * times
                case {"base64": text}:
                    payload += base64.b64decode(text)
        yield payload


def test_everything_that_ever_went_wrong_at_once(running):
    """All golden payloads, good and bad, on the topics of several devices, ten times over."""
    payloads = list(golden_payloads())
    assert len(payloads) > 50
    before = running.metrics()
    leaves = ("telemetry", "facts", "status", "reply")
    messages = [
        (f"fw/acme/pc/any-{number % 5}/{leaves[number % 4]}", payload)
        for number, payload in enumerate(payloads * 10)
    ]
    publish(running.broker, messages)
    target = running.settled(before) + len(messages)
    running.wait_settled(target)
    with Device(running.broker, "acme/pc/after") as device:
        device.measure(now_ms(), {"cpu.load": 5})
        device.wait_taken()
    running.wait_settled(target + 1)
    assert [reading[1:] for reading in running.readings(device.name)] == [("cpu.load", 5)]
    assert running.get("/readyz").status_code == 200

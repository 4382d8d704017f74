"""Device time, arrival time, silence and disorder: the same truth, however it arrives."""

import msgspec
from story import START, Story, ruleset

from diagnostics.orders.registry import DeviceEntry, Registry, SiteEntry
from gateway.ports import Packet
from rules.symbols import DeviceId

SERVER = "acme/server/srv-1"
HOT = {
    "id": "hot",
    "fault": "cpu.overheating",
    "when": "cpu.temperature > 95",
    "hold": "10m",
    "clear_hold": "5m",
    "confirm": {"any_of": [{"held": "20m"}]},
}
MINUTE = 60_000


def shape(story):
    return (
        [e.line() for e in story.events],
        [o.document() for o in story.orders],
        [(d.at, d.reason, d.text) for d in story.decisions],
    )


def temperatures():
    """Two hours: hot from minute 20 to 70, then cool."""
    return [(START + m * MINUTE, 99 if 20 <= m < 70 else 60) for m in range(120)]


def test_a_backlog_of_two_hours_in_one_second_gives_the_same_as_the_same_data_live(tmp_path):
    live = Story(ruleset(tmp_path, HOT))
    for ts, value in temperatures():
        live.clock = ts
        live.reads(SERVER, {"cpu.temperature": value})

    burst = Story(ruleset(tmp_path, HOT))
    burst.clock = START + 120 * MINUTE
    backlog = [{"ts": ts, "values": {"cpu.temperature": value}} for ts, value in temperatures()]
    burst.publish(SERVER, "telemetry", backlog)

    assert [s[:2] for s in live.steps()] == [("suspected", 30), ("confirmed", 50), ("cleared", 75)]
    assert shape(burst) == shape(live)
    assert len(live.orders) == 1


def test_what_comes_twice_or_late_changes_nothing(tmp_path):
    clean, messy = Story(ruleset(tmp_path, HOT)), Story(ruleset(tmp_path, HOT))
    for number, (ts, value) in enumerate(temperatures()):
        clean.clock = messy.clock = ts
        clean.reads(SERVER, {"cpu.temperature": value})
        messy.reads(SERVER, {"cpu.temperature": value})
        messy.reads(SERVER, {"cpu.temperature": value})
        if number > 3:
            messy.reads(SERVER, {"cpu.temperature": 20}, at=ts - 3 * MINUTE)
    assert shape(messy) == shape(clean)


def test_a_sensor_that_cannot_be_read_pauses_the_hold_and_forgets_nothing(tmp_path):
    story = Story(ruleset(tmp_path, HOT))
    story.keeps_reading(SERVER, {"cpu.temperature": 99}, for_="6m")
    story.keeps_reading(SERVER, {"cpu.temperature": None}, for_="30m")
    assert story.events == []
    story.keeps_reading(SERVER, {"cpu.temperature": 99}, for_="6m")
    # Six minutes ran before the pause, which began with the first unreadable message; four are missing.
    assert story.steps()[0] == ("suspected", 40, "cpu.overheating")


def test_nan_makes_a_signal_unknown_and_is_put_aside(tmp_path):
    story = Story(ruleset(tmp_path, HOT))
    story.keeps_reading(SERVER, {"cpu.temperature": 99}, for_="9m")
    payload = b'{"ts": %d, "values": {"cpu.temperature": NaN}}' % story.clock
    packet = Packet(f"fw/{SERVER}/telemetry", payload, story.clock)
    story.take(story.pipeline.push(story.decoder.decode([packet])))
    story.passes("5m")
    assert story.events == []
    assert [r.reason for r in story.rejected] == ["not_a_number"]


def test_a_stale_reading_confirms_nothing(tmp_path):
    rule = {**HOT, "hold": "0s", "confirm": {"any_of": [{"held": "2d"}]}}
    story = Story(ruleset(tmp_path, rule))
    story.reads(SERVER, {"cpu.temperature": 99})
    story.keeps_reading(SERVER, {"cpu.load": 5}, every="1h", for_="4d")  # it speaks, but not of temperature
    assert [s[0] for s in story.steps()] == ["suspected"]
    story.reads(SERVER, {"cpu.temperature": 99})
    assert [s[0] for s in story.steps()] == ["suspected", "confirmed"]


SILENT = {
    "id": "silent",
    "fault": "bmc.silent",
    "when": "absent(bmc.online, 15m)",
    "confirm": {"any_of": [{"engineer": True}]},
}


def test_silence_is_noticed_on_the_gateways_clock(tmp_path):
    story = Story(ruleset(tmp_path, SILENT))
    story.reads(SERVER, {"bmc.online": True})
    story.passes("14m")
    assert story.events == []
    story.passes("2m")
    assert story.steps() == [("suspected", 15, "bmc.silent")]


def test_a_gateway_that_did_not_listen_does_not_call_it_silence(tmp_path):
    story = Story(ruleset(tmp_path, SILENT))
    story.reads(SERVER, {"bmc.online": True})
    story.passes("10m")
    story.clock += 60 * MINUTE  # down for an hour
    story.pipeline.not_listening(60 * MINUTE)
    story.passes("4m")
    assert story.events == []
    story.passes("2m")
    assert story.steps() == [("suspected", 75, "bmc.silent")]


def test_a_saved_state_goes_on_where_it_stood_even_with_a_probe_out(tmp_path):
    rules = ruleset(
        tmp_path,
        {
            "id": "sectors",
            "fault": "disk.media_wear",
            "for_devices": {"each": "disk", "model": "R*"},
            "when": "increase(disk.pending_sectors, 1d) > 0",
            "confirm": {"any_of": [{"probe": "disk.self_test"}]},
        },
    )
    first = Story(rules)
    first.says(SERVER, "facts", model="R740", components={"sda": {"serial": "Z1"}})
    first.reads(SERVER, {"disk.pending_sectors@sda": 0})
    first.passes("1h")
    first.reads(SERVER, {"disk.pending_sectors@sda": 8})
    arrays, document = first.pipeline.snapshot()

    second = Story(rules, clock=first.clock)
    document = msgspec.json.decode(msgspec.json.encode(document))
    second.pipeline.restore({k: v.copy() for k, v in arrays.items()}, document)
    assert second.pipeline.waiting_commands(second.clock) == first.commands
    second.commands = first.commands
    second.passes("5m")
    second.answer("failed")
    (order,) = second.orders
    assert order.device.model == "R740"
    assert [p.state for p in order.diagnosis.probes] == ["failed"]


def test_an_exchanged_drive_starts_a_new_counter(tmp_path):
    rules = ruleset(
        tmp_path,
        {
            "id": "sectors",
            "fault": "disk.media_wear",
            "for_devices": {"each": "disk"},
            "when": "increase(disk.reallocated_sectors, 1d) > 5",
        },
    )
    for serial, orders in (("Z1", 1), ("Z2", 0)):
        story = Story(rules)
        story.says(SERVER, "facts", components={"sda": {"serial": "Z1"}})
        story.reads(SERVER, {"disk.reallocated_sectors@sda": 0})
        story.passes("1h")
        story.says(SERVER, "facts", components={"sda": {"serial": serial}})
        story.reads(SERVER, {"disk.reallocated_sectors@sda": 10})
        assert len(story.orders) == orders


def test_a_schedule_goes_by_the_clock_of_the_site(tmp_path):
    night = {**HOT, "hold": "0s", "schedule": {"from": "22:00", "to": "06:00"}}
    kiritimati = DeviceId("acme", "server", "srv-1")  # 14 hours ahead of UTC
    registry = Registry(
        devices={kiritimati: DeviceEntry(kiritimati, site="S1")},
        sites={"S1": SiteEntry("S1", time_zone="Pacific/Kiritimati")},
    )
    # At 08:00 UTC it is 22:00 there.
    at_night, elsewhere = Story(ruleset(tmp_path, night), registry), Story(ruleset(tmp_path, night))
    for story in (at_night, elsewhere):
        story.reads(SERVER, {"cpu.temperature": 99})
    assert [step[0] for step in at_night.steps()] == ["suspected"]
    assert elsewhere.steps() == []

    # What the device itself says goes before the registry.
    at_home = Story(ruleset(tmp_path, night), registry)
    at_home.says(SERVER, "facts", time_zone="UTC")
    at_home.reads(SERVER, {"cpu.temperature": 99})
    assert at_home.steps() == []

"""In how many lanes a rule stands where."""

from rules.batch import BatchBuilder
from rules.engine import Engine
from rules.loader import load_files
from rules.symbols import DeviceId, Symbols
from rules.times import DAY_MS, MINUTE_MS

PACK = b"""\
pack: p
rules:
  - id: hot
    fault: f
    for_devices: {class: [pc, server]}
    when: cpu.temperature > 90
    hold: 10m
    clear_when: cpu.temperature < 80
    clear_hold: 5m
  - {id: sectors, fault: g, for_devices: {class: server, each: disk}, when: disk.pending_sectors > 0}
"""


def test_lanes_are_counted_by_state_and_those_without_a_fresh_value_apart():
    symbols = Symbols()
    engine = Engine(load_files([("p.yaml", PACK)]), symbols)
    names = ["cool", "warming", "hot", "cooling", "silent"]
    devices = [symbols.devices.intern(DeviceId("acme", "server", name)) for name in names]
    devices.append(symbols.devices.intern(DeviceId("acme", "pc", "cool")))
    devices.append(symbols.devices.intern(DeviceId("acme", "phone", "none")))

    def say(at, *values):
        builder = BatchBuilder(symbols)
        for device, told in zip(devices, values, strict=False):
            builder.add(device, at, at, {} if told is None else told)
        engine.apply(builder.build())

    def temperature(value):
        return {"cpu.temperature": float(value)}

    say(0, *map(temperature, (50, 50, 95, 95, 50, 50)), {})
    day = 2 * DAY_MS
    say(day, *map(temperature, (50, 50, 95, 95)), {}, temperature(50), {})
    say(
        day + 10 * MINUTE_MS,
        temperature(50),
        temperature(95),
        temperature(95),
        temperature(70),
        {},
        temperature(50),
        {},
    )
    say(day + 11 * MINUTE_MS, {"disk.pending_sectors@sda": 3.0, "disk.pending_sectors@sdb": 0.0})
    hot, sectors = engine.tally()
    assert {state: n for state, n in hot.states.items() if n} == {
        "unknown": 1, "quiet": 2, "pending": 1, "suspected": 1, "clearing": 1,
    }  # fmt: skip
    assert (hot.lanes, sectors.states["suspected"], sectors.states["quiet"]) == (6, 1, 1)

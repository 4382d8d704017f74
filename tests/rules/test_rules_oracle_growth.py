"""Growth: more lanes than there was room for, more readings than rings had slots, saved on the way."""

import random

import pytest
from sidebyside import by_lane, clocked, run_engine, run_oracle, write_pack

from rules.symbols import DeviceId

DEVICES = [DeviceId("acme", "server", f"s{i}") for i in range(24)]
RULES = [
    {"when": "avg(cpu.load, 1h) > 2", "hold": "5m"},
    {"when": "max(cpu.load, 10m) - min(cpu.load, 10m) > 3", "clear_when": "max(cpu.load, 5m) < 3"},
    {"when": "increase(cpu.load, 1h) > 60 or changes(cpu.load, 1h) > 40"},
    {"when": "median(cpu.load, 1h) > 2 and stddev(cpu.load, 1h) < 1.5"},
    {"when": "n_of(cpu.load > 3, 12, 1h) and delta(cpu.load, 1h) != 0", "hold": "2m"},
    {"when": "slope(disk.pending_sectors, 1h) > 0.5", "for_devices": {"class": "server", "each": "disk"}},
]


@pytest.mark.parametrize("seed", [1, 2])
def test_growth_changes_nothing(tmp_path, seed):
    chance = random.Random(seed)
    words = []
    for _ in range(1200):
        # A few devices speak most of the time: their rings grow to the largest size, others stay small.
        device = chance.choice(DEVICES[: chance.choice([2, 2, 2, 24])])
        values = {"cpu.load": float(chance.randrange(5))}
        if chance.random() < 0.5:
            values[f"disk.pending_sectors@{chance.choice('abc')}"] = float(chance.randrange(4))
        words.append((device, chance.choice([0, 1, 1, 1, 2]), chance.choice([0, 0, 1]), values))
    story = list(clocked(words, DEVICES))
    ruleset = write_pack(tmp_path, [{"fault": "x.y", "for_devices": {"class": "server"}, **r} for r in RULES])
    cuts = {chance.randrange(1200) for _ in range(60)}
    restarts = set(sorted(cuts)[::20])
    found = by_lane(run_engine(ruleset, story, cuts, restarts))
    assert found == by_lane(run_oracle(ruleset, story))
    assert len(found) > 100
    assert found == by_lane(run_engine(ruleset, story, set()))

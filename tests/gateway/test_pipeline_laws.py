"""Laws of the whole journey: nothing that devices send ends it, and cuts and restarts change nothing."""

import json
import random
from collections import Counter

import pytest

from gateway.config import load_config
from gateway.loading import build_decoder, build_pipeline, load_knowledge
from gateway.ports import Packet
from rules.symbols import Symbols

CONFIG = load_config(None, {})
KNOWLEDGE = load_knowledge(CONFIG)
SIGNALS = sorted({signal.partition("@")[0] for rule in KNOWLEDGE.ruleset.rules for signal in rule.evidence})
DEVICES = [(kind, f"{kind}-{n}") for kind in ("phone", "pc", "server", "appliance") for n in (1, 2)]
FACTS = [
    {"model": "A"},
    {"model": None, "firmware": 3},
    {"serial": "S1"},
    {"serial": "S2"},
    {"components": {"sda": {"serial": "a"}, "1": {"serial": 7}}},
    {"components": {"sda": {"serial": "b"}}},
    {"code.leak": "E18", "code.not_draining": 5},
    {"water.level_max": 60, "compressor": "fixed_speed", "filter.limit_hours": 1e308},
    {"water.level_max": "high", "filter.limit_hours": True},
]
VALUES = [None, True, False, 0, 1, 2, 5, 24, 50, 96, 230, -40, 1e308, -1e308, 1e-300, "E18", "failed", "good"]
STEPS = [0, 0, 1, 1_000, 60_000, 60_000, 600_000, 3_600_000]
BEGUN = 1_767_225_600_000


class Fleet:
    """Devices that send whatever comes to their mind, and answer probes now and then, some of them twice."""

    def __init__(self, seed):
        self._rng = random.Random(seed)
        self._now = BEGUN
        self._liking = {device: self._rng.sample(SIGNALS, 10) for device in DEVICES}
        self.asked = []  # commands

    def burst(self):
        return [self._packet() for _ in range(self._rng.randint(1, 25))]

    def _packet(self):
        rng = self._rng
        self._now += rng.choice(STEPS)
        leaf = rng.choice(["telemetry"] * 10 + ["facts", "status", "reply"])
        kind, name = rng.choice(DEVICES)
        if leaf == "telemetry":
            body = self._telemetry((kind, name))
        elif leaf == "facts":
            body = rng.choice(FACTS)
        elif leaf == "status":
            body = {"online": rng.random() < 0.5}
        else:
            kind, name, identifier = rng.choice(self.asked[-8:] or [(kind, name, "P-NOBODYS")])
            state = rng.choice(["running", "passed", "failed", "unsupported", "error"])
            body = {"id": identifier, "state": state, "result": rng.choice([{}, None, {"a": 1, "b": [2]}])}
        topic = f"fw/acme/{kind}/{name}/{leaf}"
        return Packet(topic, json.dumps(body).encode(), self._now, retained=rng.random() < 0.02)

    def _telemetry(self, device):
        rng = self._rng
        part = rng.choice(["", "@sda", "@1", "@0"])
        signals = rng.sample(self._liking[device], rng.randint(1, 8))
        values = {f"{signal}{part}": rng.choice([*VALUES, rng.uniform(-50, 300)]) for signal in signals}
        ts = self._now + rng.choice([0, 0, 0, 0, 200_000, -1_000, -100_000, -86_400_000, -self._now])
        message = {"ts": ts, "values": values}
        return rng.choice([message] * 8 + [[message, {**message, "ts": ts + 1}], values])


class Journey:
    """A pipeline and all that it ever said."""

    def __init__(self):
        self._symbols = Symbols()
        self._pipeline = build_pipeline(CONFIG, KNOWLEDGE, self._symbols, None)
        self._decoder = build_decoder(CONFIG, KNOWLEDGE, self._symbols)
        self.events, self.decisions, self.orders, self.commands, self.changes = [], [], [], [], []

    def push(self, packets):
        effects = self._pipeline.push(self._decoder.decode(packets))
        self.events += [event.model_dump_json() for event in effects.write.events]
        self.decisions += [decision.model_dump_json() for decision in effects.write.decisions]
        self.orders += effects.write.orders
        self.changes += effects.write.changes
        self.commands += effects.commands
        return effects

    def tick(self, now):
        effects = self._pipeline.tick(now)
        self.orders += effects.write.orders
        self.changes += effects.write.changes

    def restart(self):
        """Go on as another process would: from what was written of the state."""
        arrays, document = self._pipeline.snapshot()
        arrays = {path: array.copy() for path, array in arrays.items()}
        self._symbols = Symbols()
        self._pipeline = build_pipeline(CONFIG, KNOWLEDGE, self._symbols, None)
        self._pipeline.restore(arrays, json.loads(json.dumps(document)))
        self._decoder = build_decoder(CONFIG, KNOWLEDGE, self._symbols)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 3, 14, 20])
def test_nothing_that_devices_send_ends_it(seed):
    fleet, journey = Fleet(seed), Journey()
    rng = random.Random(seed)
    for _ in range(150):
        packets = fleet.burst()
        for command in journey.push(packets).commands:
            fleet.asked.append((command.device_class, command.device, command.id))
        if rng.random() < 0.1:
            journey.tick(packets[-1].arrival + 1)
    assert len(fleet.asked) > 5
    assert len(journey.orders) > 3
    ended = {change.order_id: change.reason for change in journey.changes if change.after == "cancelled"}
    assert set(ended.values()) <= {"refuted_by_probe"}, "nobody says a word, so nothing else ends an order"
    about = Counter(
        (o.tenant, o.device.device_class, o.device.device, o.device.component, o.fault.code)
        for o in journey.orders
        if o.order_id not in ended
    )
    assert set(about.values()) == {1}, "a fault has one order that is open"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 3, 14, 20])
def test_wherever_the_stream_is_cut_and_the_gateway_restarted(seed):
    fleet, whole = Fleet(seed), Journey()
    bursts = []
    for _ in range(100):
        bursts.append(fleet.burst())
        for command in whole.push(bursts[-1]).commands:
            fleet.asked.append((command.device_class, command.device, command.id))
    cut = Journey()
    rng = random.Random(seed)
    packets = [packet for burst in bursts for packet in burst]
    while packets:
        length = rng.choice([1, 2, 7, 40, 300])
        cut.push(packets[:length])
        packets = packets[length:]
        if rng.random() < 0.3:
            cut.restart()
    for kind in ("events", "decisions"):
        assert sorted(getattr(cut, kind)) == sorted(getattr(whole, kind))
    assert {c.id for c in cut.commands} == {c.id for c in whole.commands}
    assert sorted(map(repr, cut.changes)) == sorted(map(repr, whole.changes))
    documents = [sorted(order.model_dump_json() for order in journey.orders) for journey in (cut, whole)]
    assert documents[0] == documents[1]

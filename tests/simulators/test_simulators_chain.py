"""The fleet before the whole chain, in virtual time and without a broker: what is ordered, what is not."""

from datetime import date

import msgspec
import pytest
from simlab import ORIGIN

from diagnostics.faults import load_faults
from diagnostics.orders.registry import Registry
from gateway.pipeline import Pipeline, Settings
from gateway.ports import Packet
from gateway.registry import load_registry
from gateway.wire.decoder import Decoder
from gateway.wire.topics import Leaf, format_topic
from rules.loader import load_rules
from rules.symbols import Symbols
from rules.times import HOUR_MS, SECOND_MS
from simulators.device import Command
from simulators.plan import plan_fleet
from simulators.registry import write_registry
from simulators.scoring import score
from simulators.truth import truth_of

END = ORIGIN + 2 * HOUR_MS
TICK_MS = 20 * SECOND_MS


class Service:
    """The gateway without a world: packets in, orders and commands collected."""

    def __init__(self, registry: Registry) -> None:
        symbols = Symbols()
        ruleset = load_rules(["builtin"])
        self.decoder = Decoder(symbols, ruleset.catalogue)
        self.pipeline = Pipeline(
            symbols=symbols, ruleset=ruleset, faults=load_faults(), registry=registry, settings=Settings()
        )
        self.orders, self.events, self.commands, self.rejected = [], [], [], []

    def push(self, packets: list[Packet], now: int) -> None:
        for effects in (self.pipeline.push(self.decoder.decode(packets)), self.pipeline.tick(now)):
            self.orders += [order.model_dump(mode="json", by_alias=True) for order in effects.write.orders]
            self.events += effects.write.events
            self.rejected += effects.write.rejected
            self.commands += effects.commands


def _packet(device, leaf, document, now):
    return Packet(format_topic("fw", device, leaf), msgspec.json.encode(document), now)


@pytest.mark.slow
def test_two_hours_of_a_fleet_are_diagnosed_without_a_false_order(tmp_path):
    plan = plan_fleet(60, 4, ORIGIN, END)
    devices = {planned.id: planned.build(ORIGIN) for planned in plan}
    write_registry([(planned.id, planned.facts) for planned in plan], tmp_path, 4, date(2026, 1, 1))
    service = Service(load_registry(tmp_path))
    service.push([_packet(planned.id, Leaf.FACTS, planned.facts, ORIGIN) for planned in plan], ORIGIN)

    for now in range(ORIGIN + TICK_MS, END + 1, TICK_MS):
        packets = []
        asked, service.commands = service.commands, []
        for command in asked:
            device = devices[command.tenant, command.device_class, command.device]
            request = Command(command.id, command.action, command.component, command.expires)
            replies = device.answer(request, now)
            packets += [_packet(device.id, Leaf.REPLY, reply._asdict(), now) for reply in replies]
        for device in devices.values():
            packets += [_packet(device.id, Leaf.TELEMETRY, r._asdict(), now) for r in device.step(now)]
            packets += [_packet(device.id, Leaf.REPLY, r._asdict(), now) for r in device.verdicts(now)]
        service.push(packets, now)

    result = score(truth_of(plan), service.orders, END)
    assert result.injected >= 5
    assert result.missed == ()
    assert result.false_orders == 0
    assert result.median_delay_s < 30 * 60
    assert service.rejected == []

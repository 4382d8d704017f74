"""Repairers fill up with orders, and room comes again; cuts and restarts count the same."""

import json
from dataclasses import replace

from orders_world import world
from story import Story, ruleset

LEAK = {"id": "leak", "fault": "appliance.leak", "when": "leak.detected", "severity": "minor"}
WET = {"leak.detected": True}


def registry(names, **limits):
    """Washers at one site, and two repairers who can; the first one takes few."""
    base = world()
    (first,) = (one for one in base.repairers if one.id == "DE-HA")
    washer = next(entry for entry in base.devices.values() if entry.id.device_class == "appliance")
    entries = [replace(washer, id=washer.id._replace(device=name)) for name in names]
    return replace(
        base,
        devices={entry.id: entry for entry in entries},
        repairers=[replace(first, **limits), replace(first, id="DE-2", name="Second")],
    )


def sent_to(story):
    return [order.service.provider.id for order in story.orders]


def leaks(story, name):
    story.passes("1m")
    story.reads(f"acme/appliance/{name}", WET)


def test_who_is_full_is_passed_over_until_an_order_is_done(tmp_path):
    story = Story(ruleset(tmp_path, LEAK), registry("abcdef", capacity=2))
    for name in "abc":
        leaks(story, name)
    assert sent_to(story) == ["DE-HA", "DE-HA", "DE-2"]
    why = [c.why for c in story.orders[2].choices if c.field == "service.provider"]
    assert "passed over: DE-HA has 2 open orders and takes 2" in why[0]
    first = next(case for case in story.cases.values() if case.order_id == story.orders[0].order_id)
    story.told("close", case=first, outcome="repaired")
    leaks(story, "d")
    leaks(story, "e")
    assert sent_to(story)[3:] == ["DE-HA", "DE-2"]


def test_a_restart_and_one_batch_count_the_same(tmp_path):
    rules = ruleset(tmp_path, LEAK)
    known = registry("abcd", capacity=2)
    whole, cut, at_once = (Story(rules, known) for _ in range(3))
    for name in "abcd":
        leaks(whole, name)
    for name in "ab":
        leaks(cut, name)
    arrays, document = cut.pipeline.snapshot()
    after = Story(rules, known, clock=cut.clock)
    after.pipeline.restore({k: v.copy() for k, v in arrays.items()}, json.loads(json.dumps(document)))
    for name in "cd":
        leaks(after, name)
    packets = []
    at_once.publish = lambda device, leaf, body: packets.append((device, leaf, body, at_once.clock))
    for name in "abcd":
        leaks(at_once, name)
    del at_once.publish
    from gateway.ports import Packet

    sent = [Packet(f"fw/{d}/{leaf}", json.dumps(body).encode(), at) for d, leaf, body, at in packets]
    at_once.take(at_once.pipeline.push(at_once.decoder.decode(sent)))
    assert sent_to(whole) == ["DE-HA", "DE-HA", "DE-2", "DE-2"]
    assert sent_to(cut) + sent_to(after) == sent_to(whole)
    assert at_once.orders == whole.orders

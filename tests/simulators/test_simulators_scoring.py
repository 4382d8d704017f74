import json
from statistics import median

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rules.times import parse_instant, to_rfc3339
from simulators.scoring import score
from simulators.truth import Truth

START = 1_767_225_600_000
END = START + 100_000

devices = st.sampled_from(["acme/server/a", "acme/pc/b", "castor/appliance/c"])
codes = st.sampled_from(["psu.failed", "disk.media_wear", "appliance.leak"])
components = st.sampled_from([None, "sda", "1"])
instants = st.integers(0, 120).map(lambda second: START + second * 1000)


def _truth(kind, device, component, fault, onset_ms):
    return Truth(kind, device, component, fault, to_rfc3339(onset_ms), onset_ms, "sudden")


def _order(device, component, fault, opened_ms):
    tenant, device_class, name = device.split("/")
    return {
        "order_id": "SO-1",
        "tenant": tenant,
        "device": {"class": device_class, "device": name, "component": component, "model": "x"},
        "fault": {"code": fault, "title": "..."},
        "opened_at": to_rfc3339(opened_ms),
    }


# One fault a device and code, as the plan makes them.
faults = st.lists(
    st.builds(_truth, st.just("fault"), devices, components, codes, instants),
    unique_by=lambda entry: (entry.device, entry.fault),
)
lookalikes = st.lists(st.builds(_truth, st.just("lookalike"), devices, components, codes, instants))
orders = st.lists(st.builds(_order, devices, components, codes, instants), max_size=12)


@given(faults, orders)
def test_every_injected_fault_is_ordered_or_missed(truth, given_orders):
    result = score(truth, given_orders, END)
    assert result.injected == result.ordered + len(result.missed)
    assert result.injected == sum(entry.onset_ms < END for entry in truth)
    assert 0 <= result.false_orders <= len(given_orders)
    assert (result.median_delay_s is None) == (result.ordered == 0)
    assert result.median_delay_s is None or result.median_delay_s >= 0
    assert all(missed.age_s > 0 for missed in result.missed)


@given(faults, st.integers(0, 50))
def test_one_order_for_each_fault_is_a_perfect_score(truth, delay_s):
    begun = [entry for entry in truth if entry.onset_ms < END]
    assume(begun)
    perfect = [_order(e.device, e.component, e.fault, e.onset_ms + delay_s * 1000) for e in begun]
    result = score(truth, perfect, END)
    assert (result.ordered, result.false_orders, result.missed) == (len(begun), 0, ())
    assert result.median_delay_s == delay_s


@given(faults, orders, st.randoms())
def test_the_sequence_of_orders_does_not_matter(truth, given_orders, chance):
    shuffled = list(given_orders)
    chance.shuffle(shuffled)
    assert score(truth, shuffled, END) == score(truth, given_orders, END)


@given(faults, lookalikes, orders)
def test_lookalikes_neither_count_nor_excuse(truth, decoys, given_orders):
    assert score(truth + decoys, given_orders, END) == score(truth, given_orders, END)


@given(faults, orders, orders)
def test_more_orders_never_unfind_a_fault(truth, some, more):
    fewer, all_of_them = score(truth, some, END), score(truth, some + more, END)
    assert all_of_them.ordered >= fewer.ordered
    assert all_of_them.false_orders >= fewer.false_orders
    assert all_of_them.false_orders == fewer.false_orders + score(truth, more, END).false_orders


@given(faults, orders)
def test_doubled_orders_change_only_false_ones(truth, given_orders):
    once, twice = score(truth, given_orders, END), score(truth, given_orders * 2, END)
    assert (once.ordered, once.median_delay_s, once.missed) == (
        twice.ordered,
        twice.median_delay_s,
        twice.missed,
    )
    assert twice.false_orders == 2 * once.false_orders


@given(faults, orders)
def test_an_order_before_the_onset_is_false(truth, given_orders):
    before = [order for order in given_orders if parse_instant(order["opened_at"]) < START + 60_000]
    late_faults = [entry for entry in truth if entry.onset_ms >= START + 60_000]
    result = score(late_faults, before, END)
    assert (result.ordered, result.false_orders) == (0, len(before))


@given(faults, orders)
def test_the_event_is_json_in_the_contracts_shape(truth, given_orders):
    event = json.loads(json.dumps(score(truth, given_orders, END).as_event()))
    assert list(event) == ["event", "injected", "ordered", "false_orders", "median_delay_s", "missed"]
    assert event["event"] == "score"
    for missed in event["missed"]:
        assert set(missed) == {"device", "component", "fault", "onset", "age_s"}


def test_the_component_counts_only_where_the_truth_names_one():
    leak = _truth("fault", "acme/server/a", None, "appliance.leak", START)
    disk = _truth("fault", "acme/server/a", "sda", "disk.media_wear", START)
    on_valve = _order("acme/server/a", "valve", "appliance.leak", START + 1000)
    on_sdb = _order("acme/server/a", "sdb", "disk.media_wear", START + 1000)

    result = score([leak, disk], [on_valve, on_sdb], END)
    assert (result.ordered, result.false_orders) == (1, 1)
    assert [missed.fault for missed in result.missed] == ["disk.media_wear"]


def test_the_delay_is_the_median_of_the_first_orders():
    truth = [_truth("fault", f"acme/pc/{n}", None, "fan.stopped", START + n * 1000) for n in range(3)]
    claims = [
        _order(f"acme/pc/{n}", None, "fan.stopped", START + n * 1000 + d)
        for n, d in enumerate((5000, 7500, 90_000))
    ]
    claims.append(_order("acme/pc/0", None, "fan.stopped", START + 99_000))
    assert score(truth, claims, END).median_delay_s == median([5.0, 7.5, 90.0])


def test_a_thing_that_is_no_order_is_named():
    with pytest.raises(ValueError, match=r"order 'SO-9': .*opened_at"):
        score(
            [], [{**_order("acme/pc/b", None, "fan.stopped", START), "order_id": "SO-9", "opened_at": 5}], END
        )

"""The vectorised engine equals the scalar oracle under any order of devices and split into batches."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sidebyside import MINUTE, by_lane, run_engine, run_oracle, splits, write_pack

from rules.symbols import DeviceId

DEVICES = [DeviceId("acme", "server", f"s{i}") for i in range(3)] + [DeviceId("acme", "phone", "p")]

numbers = st.sampled_from(["disk.pending_sectors", "cpu.load", "fan.rpm", "cpu.temperature@0"])
windows = st.sampled_from(["1m", "2m", "5m", "10m", "1h"])
functions = st.sampled_from(
    ["avg", "min", "max", "sum", "count", "increase", "delta", "changes", "stddev", "median"]
)
constants = st.sampled_from(["0", "1", "2", "3", "-1", "0.5"])


def join(*parts):
    return st.tuples(*[p if isinstance(p, st.SearchStrategy) else st.just(p) for p in parts]).map("".join)


quantities = st.recursive(
    st.one_of(
        numbers,
        constants,
        join(functions, "(", numbers, ", ", windows, ")"),
        join("quantile(", numbers, ", ", st.sampled_from(["0", "0.25", "1"]), ", ", windows, ")"),
        join("forecast(", numbers, ", ", windows, ", 10m)"),
        st.just('fact("limit")'),
        st.just('limit("top")'),
    ),
    lambda inner: join("(", inner, st.sampled_from([" + ", " - ", " * ", " / "]), inner, ")"),
    max_leaves=3,
)
conditions = st.recursive(
    st.one_of(
        join(quantities, st.sampled_from([" > ", " < ", " >= ", " <= ", " == ", " != "]), quantities),
        join('raid.state == "', st.sampled_from(["optimal", "degraded"]), '"'),
        st.just("psu.redundant"),
        st.just('fact("model") == "M1"'),
        join("absent(", numbers, ", ", windows, ")"),
        join("rate(", numbers, ", ", windows, ") > 0.01"),
        join("slope(", numbers, ", ", windows, ") > ", st.sampled_from(["0", "-12", "6"])),
        join("flatline(", numbers, ", ", windows, ")"),
        join("n_of(", numbers, " > 1, ", st.sampled_from(["1", "2", "3"]), ", ", windows, ")"),
        join("n_of(avg(", numbers, ', 5m) > limit("top") or raid.state == "degraded", 2, ', windows, ")"),
    ),
    lambda inner: st.one_of(
        join("(", inner, " and ", inner, ")"),
        join("(", inner, " or ", inner, ")"),
        join("not ", inner),
        join("(", inner, " if ", inner, " else ", inner, ")"),
    ),
    max_leaves=4,
)
durations = st.sampled_from(["0s", "1m", "3m", "10m"])
ways = st.one_of(
    st.fixed_dictionaries({"also": conditions}),
    st.fixed_dictionaries({"held": durations}),
    st.just({"probe": "disk.self_test"}),
)
selectors = st.fixed_dictionaries(
    {},
    optional={
        "class": st.sampled_from(["server", ["server", "phone"], "*"]),
        "each": st.sampled_from(["disk", "fan"]),
        "model": st.sampled_from(["M1", "M*"]),
    },
)
rules = st.fixed_dictionaries(
    {"fault": st.just("x.y"), "when": conditions, "for_devices": selectors, "hold": durations},
    optional={
        "clear_when": conditions,
        "clear_hold": durations,
        "confirm": st.fixed_dictionaries({"any_of": st.lists(ways, min_size=1, max_size=3)}),
        "severity_when": st.fixed_dictionaries({}, optional={"critical": conditions, "minor": conditions}),
        "flapping": st.sampled_from(
            [{"window": "10m", "start": 2, "stop": 0}, {"window": "1h", "start": 3, "stop": 2}]
        ),
        "schedule": st.sampled_from(
            [
                {"from": "08:00", "to": "18:30", "zone": "Europe/Berlin"},
                {"from": "22:00", "to": "06:00", "days": ["thu", "sat"], "zone": "UTC"},
                {"days": ["thu", "fri"]},
            ]
        ),
    },
)
keys = st.sampled_from(
    [
        "disk.pending_sectors",
        "disk.pending_sectors@a",
        "disk.pending_sectors@b",
        "cpu.load",
        "cpu.load@a",
        "fan.rpm@a",
        "cpu.temperature@0",
    ]
)
values = st.dictionaries(keys, st.one_of(st.none(), st.integers(-1, 4).map(float)), max_size=4)
others = st.fixed_dictionaries(
    {},
    optional={
        "raid.state": st.sampled_from(["optimal", "degraded", None]),
        "psu.redundant": st.sampled_from([True, False, None]),
    },
)
telemetry = st.tuples(
    st.just("telemetry"),
    st.sampled_from(DEVICES),
    st.sampled_from([0, 1, 1, 1, 1, 2, 5, -1, 600, 1500]),  # minutes of device time since the device's last
    st.sampled_from([0, 0, 1, 1, 2, 7]),  # minutes of arrival since the last message
    st.builds(lambda a, b: {**a, **b}, values, others),
)
facts = st.tuples(
    st.just("facts"),
    st.sampled_from(DEVICES),
    st.fixed_dictionaries(
        {},
        optional={
            "model": st.sampled_from(["M1", "N2"]),
            "limit": st.sampled_from([1.0, 2.0, "two"]),
            "time_zone": st.sampled_from(["Asia/Kolkata", "America/St_Johns", "nowhere"]),
            "serial": st.sampled_from(["x", "y"]),
            "components": st.just({"a": {"serial": "1"}}) | st.just({"a": {"serial": "2"}}),
        },
    ),
)
stories = st.lists(st.one_of(telemetry, telemetry, telemetry, telemetry, facts), max_size=40)


def timed(story):
    """Give every word of a story its absolute times."""
    clocks = dict.fromkeys(DEVICES, 1000 * MINUTE)
    arrival = 2000 * MINUTE
    for word in story:
        if word[0] == "facts":
            yield ("facts", word[1], word[2], arrival)
            continue
        _, device, step, wait, content = word
        arrival += wait * MINUTE
        clocks[device] += step * MINUTE
        yield ("telemetry", device, clocks[device], arrival, content)


def assert_equal_under_any_split(folder, entries, story, cuts):
    ruleset = write_pack(folder, entries)
    words = list(timed(story))
    assert by_lane(run_engine(ruleset, words, cuts)) == by_lane(run_oracle(ruleset, words))


packs_of_rules = st.lists(rules, min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(packs_of_rules, stories, splits(40))
def test_engine_equals_oracle_under_any_split(tmp_path_factory, entries, story, cuts):
    assert_equal_under_any_split(tmp_path_factory.mktemp("pack"), entries, story, cuts)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(packs_of_rules, stories, splits(40))
def test_engine_equals_oracle_again_and_again(tmp_path_factory, entries, story, cuts):
    assert_equal_under_any_split(tmp_path_factory.mktemp("pack"), entries, story, cuts)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(rules, min_size=1, max_size=3), stories, st.randoms(use_true_random=False))
def test_order_of_devices_does_not_matter(tmp_path_factory, entries, story, random):
    # Arrival stands still, so that only the order of different devices differs.
    ruleset = write_pack(tmp_path_factory.mktemp("pack"), entries)
    words = [(*w[:3], 0, w[4]) if w[0] == "telemetry" else w for w in story]
    words = list(timed(words))
    queues = {d: [w for w in words if w[1] == d] for d in DEVICES}
    shuffled = []
    while any(queues.values()):
        shuffled.append(queues[random.choice([d for d in DEVICES if queues[d]])].pop(0))
    assert by_lane(run_engine(ruleset, words, set())) == by_lane(run_engine(ruleset, shuffled, set()))


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(rules, min_size=1, max_size=3), stories, st.sets(st.integers(0, 40), max_size=4))
def test_a_restored_engine_goes_on_where_the_saved_one_stood(tmp_path_factory, entries, story, cuts):
    ruleset = write_pack(tmp_path_factory.mktemp("pack"), entries)
    words = list(timed(story))
    assert run_engine(ruleset, words, cuts, restarts=cuts) == run_engine(ruleset, words, cuts)

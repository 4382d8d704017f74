"""What a technician reads of the values behind an order."""

import pytest
import yaml

from diagnostics.case import Case, Evidence
from diagnostics.explaining import explanation
from rules.loader import load_rules


def seen(folder, rule, evidence, *, component="", facts=None, overrides=()):
    """Return the middle of an explanation: what stands between "Seen: " and " Rule a."."""
    pack = {"pack": "p", "rules": [{"id": "a", "fault": "f.f", "title": "T", "source": "test", **rule}]}
    if overrides:
        pack["overrides"] = list(overrides)
    (folder / "pack.yaml").write_text(yaml.safe_dump(pack))
    ruleset = load_rules([folder / "pack.yaml"])
    case = Case(
        case_id="c",
        tenant="acme",
        device_class="phone",
        device="p-1",
        component=component,
        fault="f.f",
        title="T",
        rule="a",
        severity="major",
        onset=0,
        updated=0,
        evidence=[
            Evidence(rule="a", signal=signal, at=0, value=value, limit=limit)
            for signal, value, limit in evidence
        ],
    )
    text = explanation(case, ruleset.rules[0], ruleset.catalogue, facts or {})
    return text.partition("Seen: ")[2].removesuffix(" Rule a.")


@pytest.mark.parametrize(
    ("when", "evidence", "told"),
    [
        pytest.param(
            "battery.temperature > 45", ("battery.temperature", 51.5, 45.0),
            "battery.temperature 51.5 °C (limit 45 °C).", id="a_number_and_its_limit",
        ),
        pytest.param(
            "increase(power.plug_events, 1h) > 20", ("power.plug_events", 501.0, None),
            "power.plug_events 501 (condition: power.plug_events grew by more than 20 in the last hour).",
            id="a_window",
        ),
        pytest.param(
            "count(defrost.on, 1h) == 0 or not (max(defrost.on, 1h) > 0)", ("defrost.on", False, None),
            "defrost.on false (condition: defrost.on was never true in the last hour).",
            id="not_what_only_asks_whether_values_came",
        ),
        pytest.param(
            "battery.health == 'dead'", ("battery.health", "dead", "dead"), "battery.health dead.", id="words"
        ),
        pytest.param("power.plugged", ("power.plugged", True, None), "power.plugged true.", id="a_truth"),
        pytest.param("drum.rpm > 0", ("drum.rpm", 800.0, None), "drum.rpm 800 a minute (condition: "
                     "drum.rpm is above 0 a minute).", id="turns_a_minute"),
        pytest.param("battery.level < 5", ("battery.level", None, 5.0), "battery.level unknown (limit 5 %).",
                     id="unknown"),
    ],
)  # fmt: skip
def test_a_value_stands_with_what_makes_it_wrong(tmp_path, when, evidence, told):
    assert seen(tmp_path, {"when": when}, [evidence]) == told


def test_a_condition_on_two_signals_is_told_once(tmp_path):
    told = seen(
        tmp_path,
        {"when": "fan.rpm < fan.low_limit", "for_devices": {"each": "fan"}},
        [("fan.rpm@2", 900.0, None), ("fan.low_limit@2", 1800.0, None)],
        component="2",
    )
    condition = "(condition: fan.rpm is below fan.low_limit)"
    assert told == f"fan.rpm@2 900 a minute {condition}; fan.low_limit@2 1800 a minute."


@pytest.mark.parametrize(("model", "limit"), [("A", "20"), ("B", "50")])
def test_the_limit_is_that_of_the_device(tmp_path, model, limit):
    told = seen(
        tmp_path,
        {"when": 'increase(power.plug_events, 1h) > limit("loose")', "limits": {"loose": 20}},
        [("power.plug_events", 501.0, None)],
        facts={"model": model},
        overrides=[{"rule": "a", "for_devices": {"model": "B"}, "limits": {"loose": 50}}],
    )
    assert told.endswith(f"(condition: power.plug_events grew by more than {limit} in the last hour).")

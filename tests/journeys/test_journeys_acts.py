"""Incidents in which an engineer does something: asks the device, takes a word back, completes the order."""

import msgspec
import pytest
from orders_form import assert_a_partition, value_at
from story import Story, ruleset

from diagnostics.faults import load_faults
from diagnostics.orders.changes import OrderChange
from diagnostics.orders.filling import FIELDS, NotFillableError, checked
from diagnostics.orders.registry import Registry
from gateway.pipeline import Pipeline, Settings
from rules.times import MINUTE_MS

SERVER = "acme/server/srv-1"
BMC = {
    "id": "bmc",
    "fault": "cpu.overheating",
    "for_devices": {"class": "server"},
    "when": "cpu.temperature > 90",
    "confirm": {"any_of": [{"engineer": True}]},
}
WEAR = {
    "id": "wear",
    "fault": "disk.media_wear",
    "for_devices": {"class": "server", "each": "disk"},
    "when": "disk.pending_sectors > 0",
    "confirm": {"any_of": [{"probe": "disk.self_test"}, {"held": "2h"}]},
}
SICK, WELL = {"disk.pending_sectors@sda": 8}, {"disk.pending_sectors@sda": 0}


def worn(tmp_path, *more):
    """A server's disk is suspected to wear out; the self test was not answered in time."""
    story = Story(ruleset(tmp_path, WEAR, *more))
    story.says(SERVER, "status", online=True)
    story.reads(SERVER, SICK)
    story.passes("31m")
    assert story.reasons()[-1] == "probe_expired"
    return story


def the_case(story):
    (case,) = story.cases.values()
    return case


# Self tests


def test_an_engineer_asks_for_the_self_test_again_and_its_answer_decides(tmp_path):
    story = worn(tmp_path)
    assert story.told("probe", action="disk.self_test", note="the owner has power again") is None
    command = story.commands[-1]
    assert (command.action, command.component) == ("disk.self_test", "sda")
    assert command.expires == story.clock + 30 * MINUTE_MS
    assert story.told("probe", action="disk.self_test") == (
        "disk.self_test is under way; the device has not answered yet"
    )
    story.answer("failed", lba=12)
    (order,) = story.orders
    assert "disk.self_test, which failed" in story.decisions[-1].text
    assert [(p.action, p.state) for p in order.diagnosis.probes][-1] == ("disk.self_test", "failed")
    assert the_case(story).probes[-1].asked_by == "anna"


def test_a_self_test_that_passes_refutes_also_what_time_had_confirmed(tmp_path):
    story = worn(tmp_path)
    story.keeps_reading(SERVER, SICK, every="30m", for_="2h")
    assert len(story.orders) == 1
    story.told("probe", action="disk.self_test")
    story.answer("passed")
    assert (the_case(story).state, story.door()) == ("refuted", ["cancelled"])


def test_a_self_test_that_no_rule_waits_for_is_noted(tmp_path):
    other = BMC | {"confirm": {"any_of": [{"probe": "memory.test"}]}, "when": "cpu.temperature > 200"}
    story = worn(tmp_path, other)
    assert story.told("probe", action="memory.test") is None
    assert story.commands[-1].component == ""  # a test of the device, not of its disk
    story.answer("failed")
    assert (story.decisions[-1].reason, story.decisions[-1].outcome) == ("probe_answered", "note")
    assert the_case(story).state == "suspected"


def test_what_cannot_be_asked_is_refused_with_the_reason(tmp_path):
    story = worn(tmp_path)
    assert "possible: disk.self_test" in story.told("probe", action="washer.spin_test")
    story.says(SERVER, "status", online=False)
    assert story.told("probe", action="disk.self_test") == "the device is offline"
    story.told("dismiss", note="a spare")
    assert "is dismissed" in story.told("probe", action="disk.self_test")
    assert len(story.commands) == 1


# Remedies


def test_a_remedy_that_is_done_leaves_the_word_to_the_rules(tmp_path):
    fault = next(f for f in load_faults() if any(r.probe == "bmc.reset" for r in f.remedies))
    story = Story(ruleset(tmp_path, BMC | {"fault": fault.code}))
    story.reads(SERVER, {"cpu.temperature": 99})
    assert story.told("remedy", action="bmc.reset") is None
    assert story.commands[-1].action == "bmc.reset"
    story.answer("passed")
    assert (the_case(story).state, story.decisions[-1].reason) == ("suspected", "remedy_answered")
    story.passes("5m")
    story.reads(SERVER, {"cpu.temperature": 40})
    assert (the_case(story).state, the_case(story).reason) == ("cleared", "remedied_remotely")
    assert (story.decisions[-1].outcome, story.orders) == ("no_order", [])
    assert story.decisions[-1].text.endswith("The remedy bmc.reset had been done before.")


def test_a_fault_that_goes_away_days_after_a_remedy_went_by_itself(tmp_path):
    fault = next(f for f in load_faults() if any(r.probe == "bmc.reset" for r in f.remedies))
    story = Story(ruleset(tmp_path, BMC | {"fault": fault.code}))
    story.reads(SERVER, {"cpu.temperature": 99})
    story.told("remedy", action="bmc.reset")
    story.answer("passed")
    story.passes("2d")
    story.reads(SERVER, {"cpu.temperature": 40})
    assert the_case(story).reason == "cleared_before_confirmation"


# Taken back


def test_a_dismissal_is_taken_back_and_the_case_goes_on_where_it_stood(tmp_path):
    story = worn(tmp_path)
    story.told("dismiss", note="wrong row")
    story.keeps_reading(SERVER, SICK, every="30m", for_="1h")
    assert story.told("reopen", who="bert", note="it was the right one") is None
    assert (the_case(story).state, the_case(story).reason) == ("suspected", "waiting_confirmation")
    assert story.decisions[-1].text == "bert took the dismissal back. it was the right one"
    assert story.told("reopen") is not None
    story.keeps_reading(SERVER, SICK, every="30m", for_="2h")
    assert len(story.orders) == 1


def test_what_would_have_confirmed_it_meanwhile_does_so_when_the_dismissal_is_taken_back(tmp_path):
    story = worn(tmp_path)
    story.told("dismiss", note="wrong row")
    story.keeps_reading(SERVER, SICK, every="30m", for_="3h")
    assert story.orders == []
    story.told("reopen")
    assert len(story.orders) == 1


def test_an_order_that_was_cancelled_with_its_case_is_open_again(tmp_path):
    story = Story(ruleset(tmp_path, WEAR | {"confirm": {"any_of": [{"engineer": True}]}}))
    story.reads(SERVER, SICK)
    story.told("confirm")
    story.told("dismiss", note="wrong row")
    story.told("reopen")
    assert story.door() == ["cancelled", "submitted"]
    assert the_case(story).state == "confirmed"


def test_a_dismissal_stays_when_the_fault_is_gone_or_a_day_has_passed(tmp_path):
    story = worn(tmp_path)
    assert "expected one that was dismissed" in story.told("reopen")
    story.told("dismiss", note="x")
    story.keeps_reading(SERVER, SICK, every="6h", for_="1d")
    story.passes("1h")
    assert story.told("reopen") == "it was dismissed more than 24 hours ago"
    story.reads(SERVER, WELL)
    assert "is over" in story.told("reopen")


def test_seen_is_taken_back(tmp_path):
    story = worn(tmp_path)
    story.told("acknowledge")
    story.told("unacknowledge", who="bert")
    assert the_case(story).acknowledged_by is None
    assert story.decisions[-1].text == "bert took back that anna has seen it."
    story.told("acknowledge", who="bert")
    assert the_case(story).acknowledged_by == "bert"


# Filled in


def ordered(tmp_path):
    story = Story(ruleset(tmp_path, WEAR | {"confirm": {"any_of": [{"engineer": True}]}}))
    story.reads(SERVER, SICK)
    story.told("confirm")
    assert_a_partition(story.orders[0])
    return story


def fill(story, **fields):
    named = {name.replace("__", "."): value for name, value in fields.items()}
    filled = [{"field": field, "value": checked(field, value)} for field, value in named.items()]
    return story.told("fill", filled=filled)


def test_gaps_are_filled_in_and_stay_so_whatever_devices_say_later(tmp_path):
    story = ordered(tmp_path)
    missing = {entry.field for entry in story.orders[0].missing}
    assert {"customer.contact", "site.country", "parts", "service.provider"} <= missing
    assert (
        fill(
            story,
            customer__contact=" +49 30 123456 ",
            site__country="DE",
            parts=[{"part": "HDD-4T", "quantity": 2, "warehouse": "Berlin"}],
            service__provider={"id": "r-1", "name": "Moreau"},
            service__respond_by="2026-03-03T08:00:00+01:00",
            entitlement={"status": "in_warranty", "ends": "2027-05-01"},
        )
        is None
    )
    story.passes("1h")
    story.reads(SERVER, SICK | {"disk.pending_sectors@sda": 80})
    story.reads(SERVER, SICK)
    order = story.order_as_it_is()
    assert (order.customer.contact, order.site.country) == ("+49 30 123456", "DE")
    assert (order.parts[0].title, order.parts[0].quantity, order.parts[0].in_stock) == ("HDD-4T", 2, None)
    assert order.service.provider.name == "Moreau"
    assert order.service.respond_by == "2026-03-03T07:00:00Z"
    left = {entry.field: entry.why for entry in order.missing}
    assert not {"customer.contact", "site.country", "parts", "service.provider", "entitlement"} & set(left)
    assert left["parts[0].in_stock"] == "anna did not say"
    assert {"customer.contact": "filled in by anna on 2026-03-02"}.items() <= {
        choice.field: choice.why for choice in order.choices
    }.items()
    assert_a_partition(order)
    change = next(c for c in story.changes if c.filled)
    assert (change.who, change.before, change.after) == ("anna", "submitted", "submitted")
    assert change.against(story.orders[0]).filled[0].before is None


def test_what_is_emptied_is_missing_again(tmp_path):
    story = ordered(tmp_path)
    fill(story, site__country="DE", parts=[{"part": "A"}, {"part": "B"}])
    fill(story, site__country=None, parts=None)
    order = story.order_as_it_is()
    assert (order.site.country, order.parts) == (None, [])
    assert [m.field for m in order.missing][-2:] == ["site.country", "parts"]
    assert_a_partition(order)


def test_an_order_that_is_over_is_not_filled_in(tmp_path):
    story = ordered(tmp_path)
    story.told("close", outcome="repaired")
    assert "is closed: expected one that is open" in fill(story, site__country="DE")


@pytest.mark.parametrize(
    ("field", "value", "wrong"),
    [
        ("site.country", "UK", "a country by ISO 3166"),
        ("customer.time_zone", "Berlin", "a time zone such as"),
        ("customer.language", "German", "a language by BCP 47"),
        ("customer.contact", "x" * 201, "1 to 200 characters"),
        ("customer.contact", 7, "a text"),
        ("service.respond_by", "tomorrow", "a date and time"),
        ("service.minutes", True, "whole minutes"),
        ("service.provider", {"id": "r-1"}, "name"),
        ("parts", [{"part": "A", "quantity": 0}], "quantity"),
        ("entitlement", {"status": "perhaps"}, "status"),
        ("order_id", "SO-1", "one of customer.owner"),
        ("links.console", "http://evil.test", "one of customer.owner"),
    ],
)
def test_a_value_that_a_field_cannot_hold_is_refused_with_what_was_expected(field, value, wrong):
    with pytest.raises(NotFillableError, match=wrong):
        checked(field, value)


def test_whatever_is_filled_in_or_emptied_the_form_stays_a_partition(tmp_path):
    values = {
        "entitlement": {"status": "contract", "contract": "C-1"},
        "service.provider": {"id": "r", "name": "R"},
        "parts": [{"part": "A", "in_stock": True}],
        "logistics.outbound": {"from": "a", "to": "b"},
        "logistics.customs": {
            "tariff_number": "8471.70",
            "origin_country": "CN",
            "value": 10,
            "currency": "EUR",
            "weight_kg": 1,
        },
        "site.country": "DE",
        "logistics.customs.origin_country": "DE",
        "customer.language": "de",
        "customer.time_zone": "Europe/Berlin",
        "service.channel": "on_site",
        "service.minutes": 30,
        "service.respond_by": "2026-03-03T08:00:00Z",
        "service.resolve_by": "2026-03-03T08:00:00Z",
        "estimate.payer": "brand",
        "estimate.currency": "EUR",
        "logistics.customs.currency": "EUR",
    }
    order = ordered(tmp_path).orders[0]
    for field in FIELDS:
        number = field.startswith("estimate") or field.endswith(("value", "weight_kg"))
        value = checked(field, values.get(field, 12 if number else "words"))
        for held in (value, None, value):
            change = OrderChange.model_validate(
                {
                    "change_id": "x",
                    "order_id": order.order_id,
                    "at": 0,
                    "who": "anna",
                    "by": "engineer",
                    "before": "submitted",
                    "after": "submitted",
                    "why": "",
                    "filled": [{"field": field, "value": held}],
                }
            )
            order = change.applied(order)
            assert_a_partition(order)
        if value_at(order.document(), field.rpartition(".")[0]) is not None:
            assert field not in {entry.field for entry in order.missing}


# After a restart


def test_a_restart_in_a_silence_and_with_a_self_test_out_changes_nothing(tmp_path):
    story = worn(tmp_path)
    silence = story.silenced(device="srv-1", for_="5h")
    story.told("probe", action="disk.self_test")
    arrays, document = story.pipeline.snapshot()
    document = msgspec.json.decode(msgspec.json.encode(document))
    later = Pipeline(
        symbols=story.symbols,
        ruleset=story.ruleset,
        faults=load_faults(),
        registry=Registry(),
        settings=Settings(),
    )
    story.take(later.restore({name: array.copy() for name, array in arrays.items()}, document))
    story.pipeline = later
    assert [command.action for command in later.waiting_commands(story.clock)] == ["disk.self_test"]
    story.answer("failed")
    assert the_case(story).held.silence_id == silence.silence_id
    story.passes("5h")
    assert len(story.orders) == 1

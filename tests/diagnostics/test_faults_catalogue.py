import pytest
from pydantic import ValidationError

from diagnostics.case import Evidence
from diagnostics.faults import Fault, FaultDocument, load_faults

PC_AND_SERVER = {"pc", "server"}

# The codes are contract; the classes that report each of them, and how urgent it is, stand in the fault list.
EXPECTED: dict[str, tuple[set[str], str]] = {
    "battery.worn": ({"phone", "pc"}, "U3"),
    "battery.failed": ({"phone"}, "U2"),
    "battery.swelling_risk": ({"phone"}, "U1"),
    "battery.sudden_shutdown": ({"phone"}, "U2"),
    "thermal.overheating": ({"phone"}, "U2"),
    "charge.port": ({"phone"}, "U3"),
    "charge.controller": ({"phone"}, "U3"),
    "battery.sensor": ({"phone"}, "U3"),
    "storage.worn": ({"phone"}, "U2"),
    "storage.full": ({"phone"}, "U3"),
    "radio.antenna": ({"phone"}, "U3"),
    "disk.media_wear": (PC_AND_SERVER, "U2"),
    "disk.failing_now": (PC_AND_SERVER, "U1"),
    "nvme.failing": (PC_AND_SERVER, "U2"),
    "disk.cable": (PC_AND_SERVER, "U3"),
    "fan.stopped": ({"pc"}, "U2"),
    "cooling.clogged": ({"pc"}, "U3"),
    "memory.failing": (PC_AND_SERVER, "U2"),
    "cpu.machine_check": (PC_AND_SERVER, "U2"),
    "psu.failing": ({"pc"}, "U2"),
    "board.cmos_battery": ({"pc"}, "U3"),
    "psu.failed": ({"server"}, "U2"),
    "fan.failed": ({"server"}, "U2"),
    "room.cooling": ({"server"}, "U1"),
    "cpu.overheating": ({"server"}, "U2"),
    "memory.uncorrectable": ({"server"}, "U1"),
    "memory.correctable_storm": ({"server"}, "U3"),
    "raid.disk_failed": ({"server"}, "U2"),
    "raid.battery": ({"server"}, "U3"),
    "nic.optic": ({"server"}, "U3"),
    "bmc.silent": ({"server"}, "U3"),
    "washer.not_draining": ({"appliance"}, "U2"),
    "washer.not_filling": ({"appliance"}, "U3"),
    "appliance.leak": ({"appliance"}, "U1"),
    "washer.overfill": ({"appliance"}, "U1"),
    "washer.motor": ({"appliance"}, "U2"),
    "washer.heater": ({"appliance"}, "U3"),
    "washer.bearing": ({"appliance"}, "U3"),
    "washer.unbalance": ({"appliance"}, "U3"),
    "appliance.temperature_sensor": ({"appliance"}, "U3"),
    "appliance.door_lock": ({"appliance"}, "U3"),
    "fridge.warm": ({"appliance"}, "U1"),
    "fridge.compressor": ({"appliance"}, "U1"),
    "fridge.evaporator_fan": ({"appliance"}, "U2"),
    "fridge.door_seal": ({"appliance"}, "U3"),
    "ac.refrigerant_low": ({"appliance"}, "U2"),
    "ac.filter": ({"appliance"}, "U3"),
}

FAULTS = load_faults()

PROBE_ACTIONS = """
    disk.self_test memory.test fan.test battery.test bmc.reset charge.test thermal.test psu.test nic.test
    raid.battery_test washer.drain_test washer.fill_test washer.heater_test washer.spin_test
    fridge.fan_test fridge.cooling_test
"""


def test_every_fault_of_the_list_is_there_and_no_other() -> None:
    assert {fault.code for fault in FAULTS} == set(EXPECTED)
    assert len(FAULTS) == len(EXPECTED)


@pytest.mark.parametrize("code", EXPECTED)
def test_classes_and_urgency_are_those_of_the_list(code: str) -> None:
    fault = FAULTS.get(code)
    assert fault is not None
    classes, urgency = EXPECTED[code]
    assert classes <= set(fault.classes)
    assert fault.urgency == urgency


def test_what_owners_mend_themselves_is_never_an_order_and_all_else_is() -> None:
    assert {fault.code for fault in FAULTS if not fault.order} == {"storage.full", "ac.filter"}


def test_dangerous_faults_are_urgent_and_tell_the_owner_what_to_do() -> None:
    dangerous = {fault.code for fault in FAULTS if fault.danger}
    assert dangerous == {"battery.swelling_risk", "appliance.leak", "washer.overfill"}
    for code in dangerous:
        fault = FAULTS.get(code)
        assert fault is not None
        assert fault.urgency == "U1"
        assert fault.advice
    for code in ("appliance.leak", "washer.overfill"):
        fault = FAULTS.get(code)
        assert fault is not None
        assert "water" in (fault.advice or "")


def test_a_battery_that_may_swell_is_never_mailed() -> None:
    fault = FAULTS.get("battery.swelling_risk")
    for device_class in ("phone", "pc"):
        assert "mail_in" not in FAULTS.channels(fault, device_class)


@pytest.mark.parametrize(
    ("device_class", "channels"),
    [
        ("phone", ("mail_in", "carry_in")),
        ("pc", ("on_site", "mail_in")),
        ("server", ("on_site",)),
        ("appliance", ("on_site",)),
        ("toaster", ()),
    ],
)
def test_a_class_is_served_in_its_own_way(device_class: str, channels: tuple[str, ...]) -> None:
    assert FAULTS.channels(None, device_class) == channels


def test_remedies_that_are_self_tests_name_actions_that_devices_know() -> None:
    actions = {remedy.probe for fault in FAULTS for remedy in fault.remedies if remedy.probe}
    assert actions <= set(PROBE_ACTIONS.split())


def test_a_power_supply_without_its_twin_is_urgent() -> None:
    fault = FAULTS.get("psu.failed")
    assert fault is not None

    def seen(value: bool, at: int) -> Evidence:
        return Evidence(rule="r", signal="psu.redundant", at=at, value=value)

    assert fault.urgency_for([]) == "U2"
    assert fault.urgency_for([seen(True, 1)]) == "U2"
    assert fault.urgency_for([seen(False, 1)]) == "U1"
    assert fault.urgency_for([seen(True, 2), seen(False, 1)]) == "U2"


@pytest.mark.parametrize(("left", "urgency"), [(None, "U2"), (2, "U2"), (1, "U2"), (0, "U1"), (0.0, "U1")])
def test_an_array_that_can_lose_no_further_drive_is_urgent(left: float | None, urgency: str) -> None:
    fault = FAULTS.get("raid.disk_failed")
    assert fault is not None
    evidence = [Evidence(rule="r", signal="raid.state@0", at=1, value="degraded")]
    evidence += [Evidence(rule="r", signal="raid.losses_left@0", at=1, value=left)]
    assert fault.urgency_for(evidence) == urgency


@pytest.mark.parametrize(
    ("warning", "urgency"),
    [(4, "U1"), (8, "U1"), (12, "U1"), (1, "U2"), (2, "U2"), (32, "U2"), ("4", "U2"), (None, "U2")],
)
def test_an_ssd_that_turns_read_only_is_urgent(warning: float | str | None, urgency: str) -> None:
    fault = FAULTS.get("nvme.failing")
    assert fault is not None
    evidence = Evidence(rule="r", signal="nvme.critical_warning@nvme0", at=1, value=warning)
    assert fault.urgency_for([evidence]) == urgency


@pytest.mark.parametrize(
    ("word", "fault", "kind"),
    [
        ("drain pump", "washer.not_draining", "drain_pump"),
        ("NTC", "washer.heater", "temperature_sensor"),
        ("cable", "disk.cable", "drive_cable"),
        ("cable", "nic.optic", "fibre_cable"),
        ("cable", "charge.controller", "charge_cable"),
        ("heater", "washer.heater", "water_heater"),
        ("cable", "battery.worn", "cable"),
        ("Left Knob", "washer.motor", "left_knob"),
    ],
)
def test_a_rule_may_name_parts_in_the_words_of_the_trade(word: str, fault: str, kind: str) -> None:
    assert FAULTS.kind_of(word, FAULTS.get(fault)) == kind


def test_a_misspelt_code_finds_its_neighbours() -> None:
    assert FAULTS.get("disk.media_ware") is None
    assert FAULTS.nearest("disk.media_ware")[0] == "disk.media_wear"
    assert FAULTS.nearest("zzz") == []


def test_times_keep_their_promise() -> None:
    hour = 3_600_000
    assert FAULTS.times("U1").respond_ms == 4 * hour
    assert FAULTS.times("U1").resolve_ms == 24 * hour
    assert FAULTS.times("U2").resolve_ms == 48 * hour
    assert FAULTS.times("U3").resolve_ms == 240 * hour


def test_texts_for_people_begin_with_a_capital_and_symptoms_end_with_a_stop() -> None:
    for fault in FAULTS:
        assert fault.title[0].isupper(), fault.code
        assert not fault.title.endswith("."), fault.code
        for text in (fault.symptom, fault.advice, *(remedy.text for remedy in fault.remedies)):
            assert text is None or (text[0].isupper() and text.endswith(".")), (fault.code, text)


ENTRY = {
    "code": "x.y",
    "title": "T",
    "classes": ["pc"],
    "symptom": "S.",
    "causes": [{"cause": "c"}],
    "urgency": "U1",
    "severity": "minor",
    "minutes": 5,
    "returns": False,
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"minutes": None}, "expected minutes"),
        ({"danger": True}, "expected advice"),
        ({"causes": [{"cause": "a", "probability": 0.7}, {"cause": "b", "probability": 0.6}]}, "add up to 1"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_an_inconsistent_entry_is_refused(change: dict[str, object], said: str) -> None:
    Fault.model_validate(ENTRY)
    with pytest.raises(ValidationError, match=said):
        Fault.model_validate(ENTRY | change)


def test_a_fault_with_a_part_of_no_kind_is_refused() -> None:
    document = {
        "urgencies": {},
        "urgency_of_severity": {},
        "classes": {},
        "kinds": {"fan": {}},
        "faults": {"x.y": {key: value for key, value in ENTRY.items() if key != "code"}},
    }
    FaultDocument.model_validate(document)
    document["faults"] = {"x.y": {**ENTRY, "parts": [{"kind": "fann"}]}}
    with pytest.raises(ValidationError, match="got 'fann'"):
        FaultDocument.model_validate(document)

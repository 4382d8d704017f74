import pytest
from orders_world import FAULTS, PHONE, SERVER, WASHER, case_of, world

from diagnostics.decision import Reason
from diagnostics.orders.policy import OrderPolicies, decide
from diagnostics.orders.registry import Registry
from rules.symbols import DeviceId
from rules.times import parse_instant

STRICT = OrderPolicies(unknown_device="hold", out_of_warranty="hold")
STRANGER = DeviceId("acme", "appliance", "stranger")


@pytest.mark.parametrize("fault", ["storage.full", "ac.filter"])
@pytest.mark.parametrize("policies", [OrderPolicies(), STRICT])
def test_what_the_owner_mends_is_never_an_order(fault: str, policies: OrderPolicies) -> None:
    case = case_of(PHONE, fault)
    assert decide(case, FAULTS.get(fault), world(), policies) is Reason.NEVER_AN_ORDER


def test_in_doubt_an_order_is_opened_unless_the_policy_holds_it() -> None:
    case = case_of(STRANGER, "washer.motor")
    fault = FAULTS.get("washer.motor")
    assert decide(case, fault, world(), OrderPolicies()) is None
    assert decide(case, fault, Registry(), OrderPolicies()) is None
    held = OrderPolicies(unknown_device="hold")
    assert decide(case, fault, world(), held) is Reason.DEVICE_UNKNOWN_POLICY
    assert decide(case_of(WASHER, "washer.motor"), fault, world(), held) is None


def test_a_fault_of_the_users_own_is_an_order() -> None:
    assert decide(case_of(WASHER, "washer.knob_lost"), None, world(), OrderPolicies()) is None


def test_out_of_warranty_is_held_by_policy_only() -> None:
    case = case_of(PHONE, "battery.failed")
    fault, facts = FAULTS.get("battery.failed"), {"model": "Lumo 7"}
    held = OrderPolicies(out_of_warranty="hold")
    assert decide(case, fault, world(), OrderPolicies(), facts=facts) is None
    assert decide(case, fault, world(), held, facts=facts) is Reason.OUT_OF_WARRANTY_POLICY


def test_an_unknown_entitlement_is_not_out_of_warranty() -> None:
    case = case_of(PHONE, "battery.failed")
    held = OrderPolicies(out_of_warranty="hold")
    assert decide(case, FAULTS.get("battery.failed"), world(), held) is None


def test_the_day_of_confirmation_counts() -> None:
    held = OrderPolicies(out_of_warranty="hold")
    case = case_of(SERVER, "bmc.silent")
    assert decide(case, FAULTS.get("bmc.silent"), world(), held) is None
    later = case.model_copy(update={"confirmed_at": parse_instant("2027-05-03T12:00:00Z")})
    assert decide(later, FAULTS.get("bmc.silent"), world(), held) is Reason.OUT_OF_WARRANTY_POLICY
    unconfirmed = later.model_copy(update={"confirmed_at": None})
    assert decide(unconfirmed, FAULTS.get("bmc.silent"), world(), held) is None

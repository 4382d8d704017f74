"""Orders as text."""

from orders_world import SERVER, SERVER_FACTS, WASHER, WASHER_FACTS, case_of, drive_case, world
from rich.text import Text

from diagnostics.case import Evidence
from diagnostics.faults import load_faults
from diagnostics.orders.prefill import prefill
from gateway.cli.papers import order_lines


def printed(case, facts):
    order = prefill(
        case=case,
        confirmed_by="a test",
        explanation="Seen.",
        confidence=None,
        facts=facts,
        registry=world(),
        faults=load_faults(),
        opened_at=1_767_226_200_000,
        reason="confirmed",
        console_url=None,
    )
    lines = [Text.from_markup(line).plain for line in order_lines(order.document())]
    return {line[:12].strip(): line[12:] for line in lines if line.startswith("  ")}


def test_the_faulty_part_is_called_by_its_kind():
    fan = case_of(
        SERVER, "fan.failed", "1", evidence=(Evidence(rule="r", signal="fan.rpm@1", at=0, value=0.0),)
    )
    assert printed(fan, SERVER_FACTS)["Faulty"] == "fan 1"
    assert "Faulty" not in printed(case_of(WASHER, "washer.not_draining"), WASHER_FACTS)


def test_what_nobody_can_be_asked_is_not_printed_as_missing():
    assert "Missing" not in printed(drive_case(), SERVER_FACTS)
    assert printed(drive_case(), {"model": "R740", "serial": "SRV0001"})["Missing"].startswith("device.")

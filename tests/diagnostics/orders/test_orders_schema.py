from pathlib import Path

from orders_world import FAULTS, OPENED_AT, SERVER_FACTS, drive_case, world

from diagnostics.orders.model import ServiceOrder
from diagnostics.orders.prefill import prefill
from diagnostics.orders.schema import schema_text

PUBLISHED = Path(__file__).parents[3] / "docs" / "service-order.schema.json"

# Every key that the contract's example has, by path.
CONTRACT = {
    "": "order_id tenant state opened_at case_id reason device fault diagnosis customer site entitlement "
    "service parts logistics estimate missing links",
    "device": "class device component model serial firmware parent",
    "fault": "code title severity symptom iris",
    "diagnosis": "confidence causes explanation evidence probes remedies",
    "customer": "owner contact language time_zone",
    "site": "address country",
    "entitlement": "status coverage ends contract",
    "service": "channel provider skills minutes respond_by resolve_by",
    "logistics": "outbound return customs",
    "estimate": "currency parts labour transport payer",
    "links": "console",
}


def test_the_published_schema_is_the_models() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text(), (
        "python -m diagnostics.orders.schema > docs/service-order.schema.json"
    )


def test_a_document_has_every_key_of_the_contract_and_comes_back_as_it_was() -> None:
    order = prefill(
        case=drive_case(),
        confirmed_by="a self test",
        explanation="It grew.",
        confidence=0.97,
        facts=SERVER_FACTS,
        registry=world(),
        faults=FAULTS,
        opened_at=OPENED_AT,
        reason="confirmed",
        console_url=None,
    )
    document = order.document()
    for path, keys in CONTRACT.items():
        section = document[path] if path else document
        assert isinstance(section, dict)
        assert set(keys.split()) <= set(section), path
    assert document["logistics"]["outbound"].keys() == {"from", "to"}
    assert ServiceOrder.model_validate(document) == order

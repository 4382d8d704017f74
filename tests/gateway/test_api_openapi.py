import json
from contextlib import ExitStack
from pathlib import Path

from browser.site import open_site

from gateway.api.openapi import openapi_text
from gateway.api.rightstable import rights_table

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_document_in_docs_is_the_code_s():
    assert DOCUMENT.read_text(encoding="utf-8") == openapi_text(), (
        "regenerate it: python -m gateway.api.openapi > docs/openapi.json"
    )


def test_it_holds_every_route():
    paths = json.loads(openapi_text())["paths"]
    device = "/api/v1/devices/{tenant}/{device_class}/{device}"
    verbs = ["acknowledge", "unacknowledge", "assign", "comment", "dismiss", "reopen", "confirm", "probe"]
    verbs += ["remedy", "silence", "similar"]
    assert set(paths) == {
        "/api/v1/devices", device, f"{device}/telemetry", "/api/v1/cases", "/api/v1/cases/{case_id}",
        *(f"/api/v1/cases/{{case_id}}/{verb}" for verb in verbs),
        "/api/v1/cases/counts", "/api/v1/cases/actions", "/api/v1/silences", "/api/v1/silences/{silence_id}",
        "/api/v1/orders", "/api/v1/orders/{order_id}", "/api/v1/orders/{order_id}/state",
        "/api/v1/orders/{order_id}/close", "/api/v1/rules", "/api/v1/rules/reload",
        "/api/v1/backtests", "/api/v1/backtests/{backtest_id}",
        *(f"/api/v1/orders/{{order_id}}/{paper}.{form}" for paper in ("paper", "repair-form")
          for form in ("html", "pdf")),
        "/api/v1/answers/{target}", "/api/v1/deliveries", "/api/v1/deliveries/{number}",
        "/api/v1/deliveries/retry", "/api/v1/deliveries/{number}/retry",
        "/api/v1/orders/{order_id}/deliveries",
        "/api/v1/quarantine", "/api/v1/events", "/api/v1/ingest/{codec}", "/healthz", "/readyz", "/metrics",
    }  # fmt: skip


async def test_it_is_served(tmp_path):
    with ExitStack() as stack:
        async with open_site(tmp_path, stack, seeded=False).client() as client:
            served = await client.get("/api/v1/openapi.json")
    assert served.json() == json.loads(openapi_text())


def test_the_table_of_rights_in_docs_is_the_code_s():
    page = (DOCUMENT.parent / "api.md").read_text(encoding="utf-8")
    assert rights_table() in page, "write it anew: python -m gateway.api.rightstable"

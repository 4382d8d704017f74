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


#: The way in, and what its signature says who it is.
OPEN = ("/api/v1/login", "/api/v1/answers/{target}")


def test_it_holds_what_the_contract_names():
    paths = json.loads(openapi_text())["paths"]
    device = "/api/v1/devices/{tenant}/{device_class}/{device}"
    verbs = ("acknowledge", "assign", "comment", "dismiss", "confirm", "silence")
    assert {
        "/api/v1/devices", device, f"{device}/telemetry", "/api/v1/cases", "/api/v1/cases/{case_id}",
        *(f"/api/v1/cases/{{case_id}}/{verb}" for verb in verbs),
        "/api/v1/orders", "/api/v1/orders/{order_id}", "/api/v1/orders/{order_id}/close", "/api/v1/rules",
        "/api/v1/quarantine", "/api/v1/events", "/healthz", "/readyz", "/metrics",
    } <= set(paths)  # fmt: skip


async def test_it_is_served(tmp_path):
    with ExitStack() as stack:
        async with open_site(tmp_path, stack, seeded=False).client() as client:
            served = await client.get("/api/v1/openapi.json")
    assert served.json() == json.loads(openapi_text())


def test_the_table_of_rights_in_docs_is_the_code_s():
    page = (DOCUMENT.parent / "api.md").read_text(encoding="utf-8")
    assert rights_table() in page, "write it anew: python -m gateway.api.rightstable"


def test_it_says_of_every_route_who_may():
    document = json.loads(openapi_text())
    for path, operations in document["paths"].items():
        for operation in operations.values():
            known = path.startswith("/api/v1/") and path not in OPEN
            assert bool(operation["security"]) == known, path
            assert not operation["security"] or {"401", "403", "503"} <= set(operation["responses"]), path

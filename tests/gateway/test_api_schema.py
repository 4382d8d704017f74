"""The whole OpenAPI document against the application: answers are what it promises, whoever asks whatever."""

from contextlib import ExitStack

import pytest
import schemathesis
from api_world import WASHER, Desk
from callers import as_
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.api.app import describe_app

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
EXAMPLES = {"everywhere": 12, "viewer": 5, "nobody": 5}
#: Backtests run in processes of their own, which their own tests start; here they say that there are none.
NOT_AT_WORK = "/api/v1/backtests"
#: A stream of events does not end by itself; tests of its own follow it.
ENDLESS = "/api/v1/events"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with ExitStack() as stack:
        yield Desk(tmp_path_factory.mktemp("schema"), stack)


@pytest.fixture(scope="module")
def document(desk):
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", desk.app)
    tenant, device_class, device = WASHER.split("/")
    there = {
        "table": "owners",
        "row_id": "anna",
        "owner": "anna",
        "case_id": desk.case.rpartition("/")[2],
        "order_id": desk.order.rpartition("/")[2],
        "tenant": tenant,
        "device_class": device_class,
        "device": device,
        "codec": "forewarn",
    }

    @schema.hook("flatmap_path_parameters")
    def sometimes_there(_context, parameters):
        real = {name: there.get(name, value) for name, value in (parameters or {}).items()}
        return st.sampled_from([real, real, parameters])

    return schema


OPERATIONS = [
    (method.upper(), path)
    for path, operations in describe_app().openapi()["paths"].items()
    for method in operations
    if path != ENDLESS
]


@pytest.mark.slow
@pytest.mark.parametrize("who", ["everywhere", "viewer", "nobody"])
@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(one) for one in OPERATIONS])
def test_every_answer_is_what_the_document_promises(document, method, path, mode, who):
    operation = document[path][method]
    needs_somebody = bool(operation.definition.raw["security"])

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES[who],
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def answered(case):
        response = case.call(headers=as_(who))
        away = response.status_code == 503 and path.startswith(NOT_AT_WORK)
        checks = [check for check in CHECKS if not (away and check is not_a_server_error)]
        case.validate_response(response, checks=checks)
        if who == "nobody" and needs_somebody:
            assert response.status_code in (400, 401, 422), response.text

    answered()

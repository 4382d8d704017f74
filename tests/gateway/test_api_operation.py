from contextlib import ExitStack

import pytest
from browser.site import open_site
from prometheus_client.parser import text_string_to_metric_families

CONTRACT_METRICS = {
    "forewarn_messages_received_total", "forewarn_messages_processed_total", "forewarn_readings_total",
    "forewarn_readings_duplicate_total", "forewarn_readings_late_total", "forewarn_orders_opened_total",
    "forewarn_commit_seconds_bucket", "forewarn_detection_seconds_bucket",
}  # fmt: skip


@pytest.fixture
def site(tmp_path):
    with ExitStack() as stack:
        yield open_site(tmp_path, stack, seeded=False)


async def test_ready_only_once_subscribed_and_recovered(site):
    site.health.readiness = (False, "the broker mqtt://127.0.0.1:1883 cannot be reached")
    async with site.client() as client:
        waiting = await client.get("/readyz")
        assert waiting.status_code == 503
        assert waiting.json()["detail"] == "the broker mqtt://127.0.0.1:1883 cannot be reached"
        assert (await client.get("/healthz")).status_code == 200
        site.health.readiness = (True, "")
        assert (await client.get("/readyz")).text == "ready\n"


async def test_a_gateway_that_stopped_working_is_not_healthy(site):
    site.health.is_alive = False
    async with site.client() as client:
        assert (await client.get("/healthz")).status_code == 503


async def test_metrics_are_those_of_the_events(site):
    site.events.received(7)
    site.events.quarantined(reason="malformed_json", messages=1, rows=1, topic="t", detail="d")
    async with site.client() as client:
        response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    samples = [
        sample for family in text_string_to_metric_families(response.text) for sample in family.samples
    ]
    values = {sample.name: sample.value for sample in samples}
    assert values["forewarn_messages_received_total"] == 7
    assert {sample.name for sample in samples} >= CONTRACT_METRICS
    name = "forewarn_messages_quarantined_total"
    counted = {sample.labels["reason"]: sample.value for sample in samples if sample.name == name}
    assert counted["malformed_json"] == 1
    assert counted["payload_too_large"] == 0  # there from the start, so that a first rise can be seen

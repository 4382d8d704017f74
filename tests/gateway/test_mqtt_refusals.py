"""What is said when a broker refuses a subscription."""

import pytest

from gateway.mqtt.refusals import closed, refusal


@pytest.mark.parametrize(
    ("filters", "most"),
    [(["fw/#"], "32,767"), (["fw/+/+/+/telemetry"], "65,535"), (["fw/#", "tele/+/STATE", "#"], "16,383")],
)
def test_the_room_that_nats_leaves_is_worked_out(filters, most):
    said = refusal("mqtt://b:1883", {filters[0]: 0x80}, filters)
    assert f"refuses the subscription to {filters[0]}." in said
    assert f"max_ack_pending is above {most}," in said
    assert "subscribePattern" in said


def test_a_connection_that_was_closed_names_rabbitmq():
    assert "to fw/#, x/+. " in closed(["fw/#", "x/+"])
    assert "set_topic_permissions" in closed(["fw/#"])


def test_a_broker_of_mqtt_5_says_why():
    said = refusal("mqtt://b:1883", {"fw/#": 0x87, "x": 0x97}, ["fw/#", "x", "y"])
    assert "refuses the subscription to fw/#, x: the user may not subscribe to it" in said
    assert "a quota of the broker is exceeded" in said
    assert "max_ack_pending" not in said

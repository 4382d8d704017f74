import pytest

from gateway.wire.reasons import QuarantineReason, Unusable
from gateway.wire.topics import (
    DEVICE_CLASSES,
    Leaf,
    commands,
    format_topic,
    is_filter,
    matches,
    parse_topic,
    subscriptions,
)
from rules.symbols import DeviceId


@pytest.mark.parametrize("root", ["fw", "site-1/devices"])
@pytest.mark.parametrize("leaf", list(Leaf))
@pytest.mark.parametrize("device_class", DEVICE_CLASSES)
def test_a_topic_comes_back_as_it_went(root, leaf, device_class):
    device = DeviceId("acme", device_class, "A-z_0.9:b")
    topic = format_topic(root, device, leaf)
    assert parse_topic(root, topic) == (device, leaf)
    assert any(matches(pattern, topic) for pattern in subscriptions(root))
    assert commands(root)(topic) == (leaf is Leaf.COMMAND)


def test_a_foreign_filter_below_the_root_is_not_subscribed_twice():
    assert subscriptions("fw", ["smart/+/+", "fw/acme/+/+/smart", "fwx/#"]) == ["fw/#", "smart/+/+", "fwx/#"]


@pytest.mark.parametrize("topic", ["smart/acme/pc/x/command", "fw/x/command", "fw/a/pc/x/telemetry"])
def test_what_others_say_is_no_command_of_ours(topic):
    assert not commands("fw")(topic)


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("fw/acme/pc/x", QuarantineReason.BAD_TOPIC),
        ("fw/acme/pc/x/telemetry/more", QuarantineReason.BAD_TOPIC),
        ("fwx/acme/pc/x/telemetry", QuarantineReason.BAD_TOPIC),
        ("acme/pc/x/telemetry", QuarantineReason.BAD_TOPIC),
        ("", QuarantineReason.BAD_TOPIC),
        ("fw/acme/PC/x/telemetry", QuarantineReason.UNKNOWN_CLASS),
        ("fw//pc/x/telemetry", QuarantineReason.BAD_IDENTIFIER),
        ("fw/acme/pc//telemetry", QuarantineReason.BAD_IDENTIFIER),
        ("fw/acme/pc/x\n/telemetry", QuarantineReason.BAD_IDENTIFIER),
        ("fw/acme/pc/\u0661/telemetry", QuarantineReason.BAD_IDENTIFIER),
        ("fw/acme/pc/" + "x" * 65 + "/telemetry", QuarantineReason.BAD_IDENTIFIER),
    ],
)
def test_what_is_no_topic_says_why(topic, reason):
    with pytest.raises(Unusable) as raised:
        parse_topic("fw", topic)
    assert raised.value.reason is reason


# The examples of MQTT 3.1.1, 4.7.1 and 4.7.2.
@pytest.mark.parametrize(
    ("pattern", "topic", "taken"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/broker", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/monitor/Clients", True),
    ],
)
def test_filters_match_as_the_standard_says(pattern, topic, taken):
    assert matches(pattern, topic) is taken


@pytest.mark.parametrize("text", ["", "sport/tennis#", "sport/tennis/#/ranking", "sport+", "a\0b"])
def test_what_is_no_filter_is_refused(text):
    assert not is_filter(text)


@pytest.mark.parametrize("text", ["#", "+", "sport/+/player1", "+/tennis/#", "a"])
def test_filters_are_filters(text):
    assert is_filter(text)

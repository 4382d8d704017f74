"""Why brokers refuse a subscription, as far as it is known: MQTT 3.1.1 tells no reason with its 0x80."""

from collections.abc import Mapping, Sequence

#: Reason codes of a SUBACK from this one on refuse a filter (MQTT 5, 3.9.3; 0x80 is all that 3.1.1 has).
LEAST_REFUSAL = 0x80

#: Packet identifiers of a session (MQTT 3.1.1, 2.3.1), which NATS shares out among its subscriptions.
_IDENTIFIERS = 65_535

_REASONS = {
    0x87: "the user may not subscribe to it (mosquitto: a role's subscribePattern, an access list)",
    0x8F: "the broker does not take this filter",
    0x97: "a quota of the broker is exceeded",
    0x9E: "the broker has no shared subscriptions",
    0xA2: "the broker has no wildcards",
}


def refusal(url: str, refused: Mapping[str, int], filters: Sequence[str]) -> str:
    """Return the sentence for filters that a broker refuses.

    Args:
        url: of the broker, without its password.
        refused: the filters and the codes with which they were answered.
        filters: all that the session asked for.
    """
    sentence = f"the broker at {url} refuses the subscription to {', '.join(refused)}"
    told = [_REASONS.get(code, f"code {code:#x}") for code in dict.fromkeys(refused.values())]
    if set(refused.values()) != {LEAST_REFUSAL}:
        return f"{sentence}: {'; '.join(told)}"
    most = most_pending(filters)
    return (
        f"{sentence}. Known causes: mosquitto and"
        " others: the user may not subscribe to it (a role's subscribePattern, an access list); nats-server:"
        f" mqtt.max_ack_pending is above {most:,}, which is all that this session's {len(filters)} filters"
        f" leave of {_IDENTIFIERS:,}, those that end in # counted twice"
    )


def closed(filters: Sequence[str]) -> str:
    """Return what is known of a connection that the broker closed between SUBSCRIBE and its answer."""
    return (
        f"the broker closed the connection on the subscription to {', '.join(filters)}. Known causes:"
        " RabbitMQ: the user has no permission to configure, write and read its session's queue, or to"
        " read the topic (rabbitmqctl set_permissions, set_topic_permissions); rumqttd: a filter that"
        " begins with $"
    )


def most_pending(filters: Sequence[str]) -> int:
    """Return how many unacknowledged messages NATS may allow each subscription of a session.

    All together must be fewer than packet identifiers, or it refuses the subscription.

    >>> most_pending(["fw/#"]), most_pending(["fw/#", "tele/+/STATE"])
    (32767, 21845)
    """
    return _IDENTIFIERS // max(1, sum(map(subscriptions_of, filters)))


def subscriptions_of(pattern: str) -> int:
    """Return how many subscriptions NATS makes of a filter: one that ends in /# takes the level above, too.

    >>> [subscriptions_of(pattern) for pattern in ("fw/#", "fw/+/telemetry", "#")]
    [2, 1, 1]
    """
    return 2 if pattern.endswith("/#") else 1

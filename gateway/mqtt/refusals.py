"""Why brokers refuse a subscription, as far as it is known: MQTT 3.1.1 tells no reason with its 0x80."""

from collections.abc import Sequence

#: Packet identifiers of a session (MQTT 3.1.1, 2.3.1), which NATS shares out among its subscriptions.
_IDENTIFIERS = 65_535


def refusal(url: str, refused: Sequence[str], filters: Sequence[str]) -> str:
    """Return the sentence for filters that a broker answered with 0x80.

    Args:
        url: of the broker, without its password.
        refused: the filters.
        filters: all that the session asked for.
    """
    most = _IDENTIFIERS // sum(map(subscriptions_of, filters))
    return (
        f"the broker at {url} refuses the subscription to {', '.join(refused)}. Known causes: mosquitto and"
        " others: the user may not subscribe to it (a role's subscribePattern, an access list); nats-server:"
        f" mqtt.max_ack_pending is above {most:,}, which is all that this session's {len(filters)} filters"
        f" leave of {_IDENTIFIERS:,}, those that end in # counted twice"
    )


def closed(url: str, filters: Sequence[str]) -> str:
    """Return the sentence for a connection that the broker closed between SUBSCRIBE and its answer."""
    return (
        f"the broker at {url} closed the connection on the subscription to {', '.join(filters)}. Known"
        " causes: RabbitMQ: the user has no permission to configure, write and read its session's queue, or"
        " to read the topic (rabbitmqctl set_permissions, set_topic_permissions); rumqttd: a filter that"
        " begins with $"
    )


def subscriptions_of(pattern: str) -> int:
    """Return how many subscriptions NATS makes of a filter: one that ends in /# takes the level above, too.

    >>> [subscriptions_of(pattern) for pattern in ("fw/#", "fw/+/telemetry", "#")]
    [2, 1, 1]
    """
    return 2 if pattern.endswith("/#") else 1

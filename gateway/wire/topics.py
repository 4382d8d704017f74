"""Topics of contract section 1: ``ROOT/TENANT/CLASS/DEVICE/LEAF``."""

import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from gateway.wire.reasons import QuarantineReason, Unusable, shown
from rules.symbols import DeviceId

DEVICE_CLASSES = ("phone", "pc", "server", "appliance")

#: What tenants, devices, signals and components may be called.
IDENTIFIER = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)


class Leaf(StrEnum):
    """The last level of a topic: what the message is."""

    TELEMETRY = "telemetry"
    FACTS = "facts"
    STATUS = "status"
    COMMAND = "command"
    REPLY = "reply"


#: What devices say.
UPWARD = (Leaf.TELEMETRY, Leaf.FACTS, Leaf.STATUS, Leaf.REPLY)

_LEAVES = {leaf.value: leaf for leaf in Leaf}


class Topic(NamedTuple):
    """A topic taken apart."""

    device: DeviceId
    leaf: Leaf


def parse_topic(root: str, topic: str) -> Topic:
    """Take a topic apart.

    Raises:
        Unusable: reason bad_topic, unknown_class or bad_identifier.
    """
    levels = topic.removeprefix(f"{root}/").split("/")
    if not topic.startswith(f"{root}/") or len(levels) != 4 or levels[3] not in _LEAVES:
        raise Unusable(
            QuarantineReason.BAD_TOPIC,
            f"expected {root}/TENANT/CLASS/DEVICE/{'|'.join(_LEAVES)}, got {shown(topic, 200)}",
        )
    return Topic(checked_device(levels[0], levels[1], levels[2]), _LEAVES[levels[3]])


def checked_device(tenant: str, device_class: str, device: str) -> DeviceId:
    """Return the identity made of three names.

    Raises:
        Unusable: reason unknown_class or bad_identifier.
    """
    if device_class not in DEVICE_CLASSES:
        raise Unusable(
            QuarantineReason.UNKNOWN_CLASS,
            f"expected class {', '.join(DEVICE_CLASSES)}, got {shown(device_class)}",
        )
    for level, name in (("tenant", tenant), ("device", device)):
        if not IDENTIFIER.fullmatch(name):
            raise Unusable(
                QuarantineReason.BAD_IDENTIFIER,
                f"{level}: expected 1 to 64 of A-Z a-z 0-9 _ . : -, got {shown(name)}",
            )
    return DeviceId(tenant, device_class, device)


def format_topic(root: str, device: DeviceId, leaf: Leaf) -> str:
    """Return the topic on which a device says something, or is told something."""
    return f"{root}/{device.tenant}/{device.device_class}/{device.device}/{leaf.value}"


def subscriptions(root: str, foreign: Sequence[str] = ()) -> list[str]:
    """Return the filters that bring everything that is said below the root, and what foreign filters name.

    The whole root, so that a topic with a mistake in it is put aside with its name and not lost unseen. A
    foreign filter below the root is part of that; some brokers would send its messages twice.
    """
    return [f"{root}/#", *(pattern for pattern in foreign if not pattern.startswith(f"{root}/"))]


def commands(root: str) -> Callable[[str], bool]:
    """Return what says whether a topic is one on which devices are told something: only we speak there."""
    leaf, pattern = f"/{Leaf.COMMAND.value}", f"{root}/+/+/+/{Leaf.COMMAND.value}"
    return lambda topic: topic.endswith(leaf) and matches(pattern, topic)


def is_filter(text: str) -> bool:
    """Say whether a text is a valid MQTT topic filter (MQTT 3.1.1, 4.7)."""
    levels = text.split("/")
    whole = all(level in ("+", "#") or not set("+#\0") & set(level) for level in levels)
    return bool(text) and whole and "#" not in levels[:-1]


def pattern_of(topic_filter: str) -> str:
    r"""Return the regular expression that takes what an MQTT filter takes, in Python and in SQL.

    >>> pattern_of("fw/acme/+/#")
    '^fw/acme/[^/]*(/.*)?\\Z'
    """
    if topic_filter == "#":
        return "^"
    levels = ["[^/]*" if level == "+" else re.escape(level) for level in topic_filter.split("/")]
    if topic_filter.endswith("/#"):
        return f"^{'/'.join(levels[:-1])}(/.*)?\\Z"
    return f"^{'/'.join(levels)}\\Z"


def matches(pattern: str, topic: str) -> bool:
    """Say whether a topic falls under a filter (MQTT 3.1.1, 4.7); ``$SYS`` never under a wildcard."""
    wanted, levels = pattern.split("/"), topic.split("/")
    if wanted[0] in ("+", "#") and levels[0].startswith("$"):
        return False
    for position, want in enumerate(wanted):
        if want == "#":
            return True
        if position >= len(levels) or want not in ("+", levels[position]):
            return False
    return len(wanted) == len(levels)

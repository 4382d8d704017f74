"""Which devices a rule is for: ``for_devices`` against class, tenant and facts."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from rules.model import DEVICE_CLASSES, Rule, Scalar, Selector
from rules.symbols import DeviceId


def classes_of(rule: Rule) -> tuple[str, ...]:
    """Return the device classes that a rule may be for."""
    patterns = dict(rule.selector).get("class")
    return tuple(c for c in DEVICE_CLASSES if patterns is None or matches(patterns, c))


def selects(rule: Rule, device: DeviceId, facts: Mapping[str, object]) -> bool:
    """Return whether a rule is for a device."""
    return fits(rule.selector, device, facts)


def fits(selector: Selector, device: DeviceId, facts: Mapping[str, object]) -> bool:
    """Return whether a device has all that is asked for. A fact that it never stated matches nothing."""
    for name, patterns in selector:
        match name:
            case "class":
                value: object = device.device_class
            case "tenant":
                value = device.tenant
            case _:
                value = facts.get(name)
        if value is None or not matches(patterns, value):
            return False
    return True


def matches(patterns: tuple[Scalar, ...], value: object) -> bool:
    """Return whether a value is one of the patterns; a text pattern may be a glob."""
    return any(
        fnmatchcase(value, pattern)
        if isinstance(pattern, str) and isinstance(value, str)
        else pattern == value and isinstance(pattern, str) == isinstance(value, str)
        for pattern in patterns
    )

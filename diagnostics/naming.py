"""What things are called: identifiers derived from what they name, and parts in the words of people."""

import hashlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from rules.symbols import Channel, DeviceId


class Traits(NamedTuple):
    """What is known of a device beside its name.

    Attributes:
        model: as it says itself, else as the registry does.
        site: its key in the registry.
        online: its last status; None when it never said.
    """

    model: str | None = None
    site: str | None = None
    online: bool | None = None


TraitsOf = Callable[[DeviceId], Traits]


def derived(prefix: str, *parts: object) -> str:
    """Return `prefix` and 16 hexadecimal digits (64 bits of SHA-256) of the parts.

    Work that is done twice writes the same rows.
    """
    text = "\0".join(str(part) for part in parts)
    return prefix + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def part_words(component: str, signals: Iterable[str]) -> str:
    """Return what a component is called, by the signals of its evidence.

    >>> part_words("2", ["fan.rpm@2"]), part_words("psu2", ["psu.ok@psu2"])
    ('fan 2', 'psu2')
    """
    for signal in signals:
        channel = Channel.parse(signal)
        group = channel.signal.partition(".")[0]
        if channel.component == component and not component.lower().startswith(group):
            return f"{group} {component}"
    return component

"""What a codec takes out of a foreign document."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Extract:
    """Raw parts, in our names, not yet checked: the decoder judges them as it judges a device's own.

    Attributes:
        ts: the document's time as `checked_time` takes it; None when it has none.
        values: by ``signal@component``; a number that the codec knows to be nonsense stays as it is found.
        facts: as in a ``facts`` message.
    """

    ts: object = None
    values: dict[str, object] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)

"""Until when someone answers and until when it is mended."""

from diagnostics.faults import FaultCatalogue, Urgency
from rules.times import MAX_INSTANT_MS, to_rfc3339


def due(faults: FaultCatalogue, urgency: Urgency, opened_at: int) -> tuple[str, str]:
    """Return `respond_by` and `resolve_by` of an order opened at an instant, in ms since 1970 UTC."""
    times = faults.times(urgency)
    return (
        to_rfc3339(min(opened_at + times.respond_ms, MAX_INSTANT_MS)),
        to_rfc3339(min(opened_at + times.resolve_ms, MAX_INSTANT_MS)),
    )

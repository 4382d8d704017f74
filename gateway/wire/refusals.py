"""What a batch of packets held that is of no use, gathered with its reasons."""

from gateway.ports import Packet, Rejected
from gateway.wire.reasons import QuarantineReason, Unusable

MAX_KEPT_PAYLOAD = 4_096  # bytes of a rejected payload that are kept
MAX_PER_PAYLOAD = 20  # a list of ten thousand broken readings is one fault of one sender


class Refusals:
    """Collects the refusals of a batch, packet by packet.

    Attributes:
        packet: the one that is being read; set before anything of it is refused.
        rejected: what was refused so far.
    """

    packet: Packet

    def __init__(self) -> None:
        self.rejected: list[Rejected] = []
        self._counted: Packet | None = None
        self._count = 0

    def add(self, reason: QuarantineReason, detail: str) -> None:
        """Put the packet aside for one more reason.

        Past the first twenty a payload's refusals are counted on the last one kept.
        """
        packet = self.packet
        self._count = self._count + 1 if packet is self._counted else 1
        self._counted = packet
        word = reason.value
        if self._count > MAX_PER_PAYLOAD:
            last = self.rejected.pop()
            more = self._count - MAX_PER_PAYLOAD
            word, detail = (
                last.reason,
                f"{last.detail.partition(_MORE)[0]}{_MORE}{more:,} more in this payload)",
            )
        kept = packet.payload[:MAX_KEPT_PAYLOAD]
        # The receiver hands over no more of a payload that is too large than shows that it is.
        cut = len(kept) < len(packet.payload) or reason is QuarantineReason.PAYLOAD_TOO_LARGE
        self.rejected.append(
            Rejected(
                packet.topic,
                word,
                detail,
                kept,
                packet.arrival,
                truncated=cut,
                retained=packet.retained,
                resubmitted=packet.resubmitted,
            )
        )

    def unusable(self, finding: Unusable, where: str = "") -> None:
        """Put the packet aside for what a check found, at a place such as a key."""
        self.add(finding.reason, f"{where}: {finding.detail}" if where else finding.detail)


_MORE = " (and "

"""What a batch of packets held that is of no use, gathered with its reasons."""

from itertools import chain

from gateway.ports import Packets, Rejected
from gateway.wire.reasons import QuarantineReason, Unusable

MAX_KEPT_PAYLOAD = 4_096  # bytes of a rejected payload that are kept
MAX_PER_PAYLOAD = 20  # a list of ten thousand broken readings is one fault of one sender


class Refusals:
    """Collects the refusals of a batch, packet by packet.

    Attributes:
        packets: the batch.
        position: of the packet that is being read; set before anything of it is refused.
    """

    def __init__(self, packets: Packets) -> None:
        self.packets = packets
        self.position = 0
        self._rejected: dict[int, list[Rejected]] = {}
        self._more: dict[int, int] = {}

    def add(self, reason: QuarantineReason, detail: str) -> None:
        """Put the packet aside for one more reason.

        Past the first twenty a payload's refusals are counted on the last one kept.
        """
        of_packet = self._rejected.setdefault(self.position, [])
        word = reason.value
        if len(of_packet) == MAX_PER_PAYLOAD:
            more = self._more[self.position] = self._more.get(self.position, 0) + 1
            last = of_packet.pop()
            word = last.reason
            detail = f"{last.detail.partition(_MORE)[0]}{_MORE}{more:,} more in this payload)"
        packet = self.packets.packet(self.position)
        kept = packet.payload[:MAX_KEPT_PAYLOAD]
        # The receiver hands over no more of a payload that is too large than shows that it is.
        cut = len(kept) < len(packet.payload) or reason is QuarantineReason.PAYLOAD_TOO_LARGE
        of_packet.append(
            Rejected(
                packet.topic,
                word,
                detail,
                kept,
                packet.arrival,
                self.position,
                truncated=cut,
                retained=packet.retained,
                resubmitted=packet.resubmitted,
            )
        )

    def in_order(self) -> tuple[Rejected, ...]:
        """Return what was refused so far, packet by packet."""
        return tuple(chain.from_iterable(self._rejected[position] for position in sorted(self._rejected)))

    def unusable(self, finding: Unusable, where: str = "") -> None:
        """Put the packet aside for what a check found, at a place such as a key."""
        self.add(finding.reason, f"{where}: {finding.detail}" if where else finding.detail)


_MORE = " (and "

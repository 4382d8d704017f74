"""What happens in operation: one call is both the log line and the counter, so neither can be forgotten."""

import time
from collections.abc import Sequence
from typing import get_args

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from diagnostics.case import CaseEvent
from gateway.wire.reasons import QuarantineReason

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Events:
    """The operational facts of one gateway. Names of metrics are contract, section 4."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.log = structlog.get_logger("forewarn")

        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"forewarn_{name}", text, labels, registry=self.registry)

        self._received = counter("messages_received", "Messages that arrived")
        self._processed = counter(
            "messages_processed", "Messages of use, and new, committed and acknowledged"
        )
        self._quarantined = counter(
            "messages_quarantined",
            "Messages of which something was put aside, by the first reason",
            ("reason",),
        )
        self._repeated = counter("messages_duplicate", "Messages whose readings had all come before")
        self._dropped = counter("quarantine_dropped", "Rows that a full quarantine let go")
        self._resubmitted = counter("quarantine_resubmitted", "Rows of the quarantine submitted again")
        self._untold_dropped = 0
        self._tell_dropped_after = 0.0
        self._readings = counter("readings", "Readings accepted")
        self._duplicate = counter("readings_duplicate", "Readings that had come before")
        self._late = counter("readings_late", "Readings older than their lane's watermark, stored only")
        self._cases = counter("cases", "Cases by the state they came to", ("state",))
        self._orders = counter("orders_opened", "Service orders opened")
        self._commands = counter("commands_sent", "Probes sent to devices")
        self._outages = counter("outages", "Times a store or the broker could not be reached", ("what",))
        self._reloads = counter("rules_reloads", "Times the rule packs were read anew", ("result",))
        self._reconnecting = counter(
            "devices_reconnecting", "Times a device began to come online 15 times within a minute"
        )
        self._dispatch = counter("dispatch", "Deliveries of events to other systems", ("target", "result"))
        self._answers_lost = counter(
            "answers_not_kept", "Answers under an Idempotency-Key that could not be kept for a repetition"
        )
        # A counter that is there from the start shows its first increase to those who ask for rates.
        for reason in QuarantineReason:
            self._quarantined.labels(reason.value)
        for state in get_args(CaseEvent.model_fields["event"].annotation):
            self._cases.labels(state)
        for result in ("taken", "refused"):
            self._reloads.labels(result)
        self._commit = Histogram(
            "forewarn_commit_seconds",
            "History and ledger commit of one batch",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._detection = Histogram(
            "forewarn_detection_seconds",
            "Arrival of the deciding message to the commit of its order",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._connected = Gauge(
            "forewarn_broker_connected", "1 while subscribed at the broker", registry=self.registry
        )

    def received(self, count: int) -> None:
        """Messages came in."""
        self._received.inc(count)

    def committed(self, *, processed: int, duplicate: int, seconds: float) -> None:
        """A batch stands in history and ledger and was acknowledged.

        Every message that was received is processed, a duplicate, or quarantined, one of the three.
        """
        self._processed.inc(processed)
        self._repeated.inc(duplicate)
        self._commit.observe(seconds)

    def readings(self, *, accepted: int, duplicate: int, late: int) -> None:
        """Readings of a batch were sorted into new, seen before and too late to evaluate."""
        self._readings.inc(accepted)
        if duplicate:
            self._duplicate.inc(duplicate)
            self.log.info("readings_duplicate", count=duplicate)
        if late:
            self._late.inc(late)
            self.log.info("readings_late", count=late)

    def quarantined(self, *, reason: str, messages: int, rows: int, topic: str, detail: str) -> None:
        """Something of a batch could not be used and was put aside for one reason.

        Args:
            reason: the label of the counter.
            messages: of which something was put aside, those already told for another reason left out.
            rows: of the quarantine; a message may have several.
            topic: of the first.
            detail: what was wrong with it.
        """
        self._quarantined.labels(reason).inc(messages)
        self.log.warning("message_quarantined", reason=reason, rows=rows, topic=topic, detail=detail)

    def quarantine_dropped(self, count: int) -> None:
        """The quarantine is full, and its oldest rows went; logged at most once a minute. On any thread."""
        self._dropped.inc(count)
        self._untold_dropped += count
        now = time.monotonic()
        if now >= self._tell_dropped_after:
            self._tell_dropped_after = now + 60
            self.log.warning("quarantine_full", dropped=self._untold_dropped)
            self._untold_dropped = 0

    def resubmitted(self, *, rows: int) -> None:
        """Rows of the quarantine were submitted again, as somebody had asked."""
        self._resubmitted.inc(rows)
        self.log.info("quarantine_resubmitted", rows=rows)

    def case(self, *, state: str, case_id: str, fault: str, device: str) -> None:
        """A case came to a state."""
        self._cases.labels(state).inc()
        self.log.info("case", state=state, case_id=case_id, fault=fault, device=device)

    def order_opened(self, *, order_id: str, fault: str, device: str, seconds: float | None) -> None:
        """An order was committed; `seconds` since the deciding message arrived, None for one recovered."""
        self._orders.inc()
        if seconds is not None:
            self._detection.observe(seconds)
        self.log.info("order_opened", order_id=order_id, fault=fault, device=device)

    def answer_not_kept(self, *, detail: str) -> None:
        """What was done under an Idempotency-Key is not remembered; a repetition is worked out anew."""
        self._answers_lost.inc()
        self.log.error("answer_not_kept", detail=detail)

    def command_sent(self, *, command_id: str, action: str, device: str) -> None:
        """A probe went out."""
        self._commands.inc()
        self.log.info("command_sent", command_id=command_id, action=action, device=device)

    def reconnecting(self, *, device: str) -> None:
        """A device began to come online too often: a bad network, or two that share one client id."""
        self._reconnecting.inc()
        self.log.warning("device_reconnecting", device=device)

    def rules_taken(
        self, *, rules: int, added: Sequence[str], changed: Sequence[str], removed: Sequence[str]
    ) -> None:
        """Rule packs were read anew and are in force."""
        self._reloads.labels("taken").inc()
        self.log.info(
            "rules_taken", rules=rules, added=list(added), changed=list(changed), removed=list(removed)
        )

    def rules_refused(self, problems: Sequence[str]) -> None:
        """Rule packs were read anew and cannot be used; the rules are those of before."""
        self._reloads.labels("refused").inc()
        for problem in problems:
            self.log.error("rules_refused", detail=problem)

    def outage(self, *, what: str, detail: str, retry_in: float) -> None:
        """A store or the broker cannot be reached; it will be tried again."""
        self._outages.labels(what).inc()
        self.log.error("outage", what=what, detail=detail, retry_in_s=round(retry_in, 1))

    def restored(self, *, what: str) -> None:
        """What was out of reach is back."""
        self.log.info("restored", what=what)

    def dispatch_target(self, target: str) -> None:
        """A target is served from now on."""
        for result in ("delivered", "retry", "dead", "overtaken"):
            self._dispatch.labels(target, result)

    def dispatched(
        self, *, target: str, result: str, event_id: str, attempts: int, detail: str | None, retry_in: float
    ) -> None:
        """An attempt to deliver an event ended.

        Args:
            target: its name.
            result: ``delivered``; ``retry``, it failed and is tried again; ``dead``, it failed for good;
                ``overtaken``, it was not sent since a later event of its order has been.
            event_id: of the event.
            attempts: that failed so far.
            detail: why it failed.
            retry_in: s until the next attempt.
        """
        self._dispatch.labels(target, result).inc()
        about = {"target": target, "event_id": event_id, "attempts": attempts}
        if result == "retry":
            self.log.warning("dispatch_retry", **about, detail=detail, retry_in_s=round(retry_in, 1))
        elif result == "dead":
            self.log.error("dispatch_dead", **about, detail=detail)
        elif result == "overtaken":
            self.log.info("dispatch_overtaken", **about)
        else:
            self.log.info("dispatch_delivered", **about)

    def circuit(self, *, target: str, closed: bool, retry_in: float = 0.0) -> None:
        """A target fails so often that it is only probed now and then, or it answers again."""
        if closed:
            self.log.info("dispatch_circuit_closed", target=target)
        else:
            self.log.warning("dispatch_circuit_open", target=target, retry_in_s=round(retry_in, 1))

    def broker(self, *, connected: bool, url: str) -> None:
        """The subscription stands, or the connection was lost."""
        self._connected.set(1 if connected else 0)
        self.log.info("broker", connected=connected, url=url)

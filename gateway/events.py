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
        self._untold_limited: dict[str, tuple[int, float]] = {}
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
        self._logins = counter("logins", "Attempts to log in", ("result",))
        self._audit_lost = counter("audit_lost", "Changes that the audit trail could not take")
        self._limited = counter(
            "requests_limited", "Requests that came too often and were refused", ("what",)
        )
        self._tickets = counter(
            "tickets_read", "Trouble tickets that were read back, by what came of it", ("target", "result")
        )
        self._answers = counter(
            "answers",
            "What repairers' systems answered to orders, by what became of it",
            ("target", "result"),
        )
        self._secret_files = counter(
            "secret_files", "Times a file of secrets had changed and was read again", ("target", "result")
        )
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
        for result in ("let_in", "refused"):
            self._logins.labels(result)
        for what in ("login", "ingest"):
            self._limited.labels(what)
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

    def login(self, *, result: str, address: str, name: str | None) -> None:
        """Somebody tried to log in.

        Args:
            result: ``let_in`` or ``refused``.
            address: from which.
            name: of the account; None where there is none of the name that was given.
        """
        self._logins.labels(result).inc()
        log = self.log.info if result == "let_in" else self.log.warning
        log("login", result=result, address=address, account=name)

    def audit_lost(self, *, what: str, target: str, who: str, detail: str) -> None:
        """A change was made that the audit trail could not take; this line is all there is of it."""
        self._audit_lost.inc()
        self.log.error("audit_lost", what=what, target=target, who=who, detail=detail)

    def limited(self, *, what: str, address: str) -> None:
        """A request came too often and was refused: a ``login``, or a message (``ingest``).

        Logged at most once a second of each, with how many there were.
        """
        self._limited.labels(what).inc()
        untold, tell_after = self._untold_limited.get(what, (0, 0.0))
        now = time.monotonic()
        if now < tell_after:
            self._untold_limited[what] = (untold + 1, tell_after)
            return
        self._untold_limited[what] = (0, now + 1)
        self.log.warning("request_limited", what=what, address=address, requests=untold + 1)

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
        for result in ("taken", "refused"):
            self._secret_files.labels(target, result)

    def ticket_reader(self, target: str) -> None:
        """Tickets of a target are read back from now on."""
        for result in ("read", "unchanged", "gone", "unknown", "failed"):
            self._tickets.labels(target, result)

    def tickets_read(self, *, target: str, result: str, number: int) -> None:
        """Tickets were read back: ``read``, or ``unchanged`` by their entity tag. Too often for the log."""
        self._tickets.labels(target, result).inc(number)

    def ticket_not_followed(
        self, *, target: str, result: str, order_id: str, ticket: str, status: str | None
    ) -> None:
        """An order cannot follow its ticket and stays as it is.

        Args:
            target: of the ticket.
            result: ``gone``: it is not there any more, and the order's next event makes another; ``unknown``:
                it has no status, or one that is no state of TMF621.
            order_id: of the order.
            ticket: its id.
            status: in the target's words.
        """
        self._tickets.labels(target, result).inc()
        name = "ticket_gone" if result == "gone" else "ticket_unknown"
        self.log.warning(name, target=target, order_id=order_id, ticket=ticket, status=status)

    def tickets_not_read(self, *, target: str, detail: str, retry_in: float) -> None:
        """A ticket system could not be read, or its news not kept; it is tried again."""
        self._tickets.labels(target, "failed").inc()
        self.log.warning("tickets_not_read", target=target, detail=detail, retry_in_s=round(retry_in, 1))

    def answering_target(self, target: str) -> None:
        """A target may answer from now on."""
        for result in ("taken", "repeated", "refused", "unknown", "malformed", "unsigned", "failed"):
            self._answers.labels(target, result)

    def answer(
        self, *, target: str, result: str, detail: str, order_id: str | None = None, told: bool = True
    ) -> None:
        """A repairer's system answered.

        Args:
            target: the name of the target that it is.
            result: ``taken``; ``repeated``, it was before; ``refused``, it is not possible as the order
                stands; ``unknown``, no order of the target's tenant; ``malformed``; ``unsigned``, or not of
                late; ``failed``, it was not kept and may come again.
            detail: why, or what was noted.
            order_id: the order that it is about, once that is known.
            told: False leaves out the line of the log, where there are too many.
        """
        self._answers.labels(target, result).inc()
        if not told:
            return
        line = self.log.info if result in ("taken", "repeated") else self.log.warning
        line(f"answer_{result}", target=target, order_id=order_id, detail=detail)

    def secret_reread(self, *, target: str, path: str, problem: str | None) -> None:
        """A file of secrets was read again: they are in force, or it is wrong and the last ones stay."""
        self._secret_files.labels(target, "taken" if problem is None else "refused").inc()
        if problem is None:
            self.log.info("secrets_taken", target=target, path=path)
        else:
            self.log.error(
                "secrets_refused", target=target, path=path, detail=f"{problem}; the last ones stay"
            )

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

    def dead_letters_retried(self, *, number: int, who: str) -> None:
        """Somebody had dead letters sent again; each attempt is counted as it ends."""
        self.log.info("dead_letters_retried", number=number, who=who)

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

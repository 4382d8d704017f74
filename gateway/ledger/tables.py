"""The ledger's tables as this version knows them; migrations/ is how a file comes to have them.

Documents are kept whole as JSON, beside the columns that lists are filtered and sorted by. Instants are ms
since 1970 UTC. No foreign key ties cases, events, decisions and orders: each is keyed by what it is about and
may be written before the others.
"""

import sqlalchemy as sa

metadata = sa.MetaData()

#: 64 bits everywhere, and the row's own number in SQLite, where only INTEGER is that.
RowNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

devices = sa.Table(
    "devices",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("device_class", sa.Text, primary_key=True),
    sa.Column("device", sa.Text, primary_key=True),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("online", sa.Boolean),
    sa.Column("last_seen", sa.BigInteger, nullable=False),
)

cases = sa.Table(
    "cases",
    metadata,
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("device_class", sa.Text, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("rank", sa.BigInteger, nullable=False),
    sa.Column("is_open", sa.Boolean, nullable=False),
    sa.Column("fault", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("model", sa.Text),
    sa.Column("site", sa.Text),
    sa.Column("assignee", sa.Text),
    sa.Column("acknowledged", sa.Boolean, nullable=False),
    sa.Column("has_outcome", sa.Boolean, nullable=False),
    sa.Column("search", sa.Text, nullable=False),
    sa.Column("onset", sa.BigInteger, nullable=False),
    sa.Column("updated", sa.BigInteger, nullable=False),
    sa.Column("order_id", sa.Text),
    sa.Column("document", sa.Text, nullable=False),
    sa.Index("cases_newest", "onset", "case_id"),
    sa.Index("cases_of_device", "tenant", "device_class", "device"),
    sa.Index("cases_state", "state"),
    sa.Index("cases_urgent", "is_open", "rank", "onset", "case_id"),
    sa.Index("cases_like_model", "tenant", "fault", "device_class", "has_outcome", "model", "onset"),
    sa.Index("cases_like_class", "tenant", "fault", "device_class", "has_outcome", "onset"),
)

#: Silences and who asked for them, also those that are over.
silences = sa.Table(
    "silences",
    metadata,
    sa.Column("silence_id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("starts", sa.BigInteger, nullable=False),
    sa.Column("over_at", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Index("silences_newest", "created_at", "silence_id"),
    sa.Index("silences_over", "over_at"),
)

case_events = sa.Table(
    "case_events",
    metadata,
    sa.Column("number", RowNumber, primary_key=True),
    sa.Column("case_id", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.UniqueConstraint("case_id", "at", "event", "rule", "reason", name="case_events_once"),
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("number", RowNumber, primary_key=True),
    sa.Column("decision_id", sa.Text, nullable=False),
    sa.Column("case_id", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("device_class", sa.Text, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("fault", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.UniqueConstraint("decision_id", name="decisions_once"),
    sa.Index("decisions_of_case", "case_id", "at"),
    sa.Index("decisions_of_device", "tenant", "device_class", "device", "at"),
)

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("device_class", sa.Text, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("component", sa.Text, nullable=False),
    sa.Column("fault", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("is_open", sa.Boolean, nullable=False),
    sa.Column("opened_at", sa.BigInteger, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Index("orders_newest", "opened_at", "order_id"),
    sa.Index("orders_of_case", "case_id"),
)

#: What happened to orders since they were opened; numbers grow in the order of the changes.
order_changes = sa.Table(
    "order_changes",
    metadata,
    sa.Column("number", RowNumber, primary_key=True),
    sa.Column("change_id", sa.Text, nullable=False),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.UniqueConstraint("change_id", name="order_changes_once"),
    sa.Index("order_changes_of_order", "order_id", "number"),
)

#: The promise of the contract, section 5, kept by the database itself: whoever writes.
one_open_order = sa.Index(
    "orders_one_open_for_a_fault",
    orders.c.tenant,
    orders.c.device_class,
    orders.c.device,
    orders.c.component,
    orders.c.fault,
    unique=True,
    sqlite_where=sa.text("is_open"),
    postgresql_where=sa.text("is_open"),
)

#: Events that are owed to other systems, committed together with what they tell of.
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("number", RowNumber, primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, sa.ForeignKey("orders.order_id"), nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("delivered", sa.BigInteger),
    sa.UniqueConstraint("event_id", name="outbox_once"),
)

#: How far the outbox has been shared out to a target: the last event's number.
dispatch_targets = sa.Table(
    "dispatch_targets",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("since", sa.BigInteger, nullable=False),
)

#: An event on its way to a target.
deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("number", RowNumber, primary_key=True),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("event", RowNumber, sa.ForeignKey("outbox.number"), nullable=False),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    sa.Column("due", sa.BigInteger, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
    sa.Column("detail", sa.Text),
    sa.UniqueConstraint("target", "event", name="deliveries_once"),
    sa.Index("deliveries_due", "target", "state", "due"),
    sa.Index("deliveries_of_order", "target", "order_id", "event"),
    sa.Index("deliveries_of_event", "event"),
    sa.Index("deliveries_of_state", "state", "number"),
)

#: Trouble tickets that targets opened for orders, the state in which they last said they were, and the last
#: of these that the order has followed, or that followed from the order.
tickets = sa.Table(
    "tickets",
    metadata,
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("ticket_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text),
    sa.Column("changed", sa.BigInteger, nullable=False),
    sa.Column("followed", sa.Text),
    sa.Column("followed_at", sa.BigInteger),
    sa.Index("tickets_by_id", "target", "ticket_id"),
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("number", RowNumber, primary_key=True),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("arrival", sa.BigInteger, nullable=False),
    sa.Column("truncated", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("retained", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("retry_requested_at", sa.BigInteger),
    sa.Column("retried_at", sa.BigInteger),
    sa.UniqueConstraint("key", name="quarantine_once"),
    sa.Index("quarantine_of_reason", "reason", "number"),
    sa.Index("quarantine_to_retry", "retry_requested_at"),
    sqlite_autoincrement=True,  # numbers grow, also after the newest row went
)

#: How many rows the quarantine took and dropped, ever.
counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)

#: Answers to requests that carried an ``Idempotency-Key``, given again to whoever sends the same again.
answers = sa.Table(
    "answers",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("headers", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Index("answers_by_age", "at"),
)

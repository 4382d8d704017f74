"""The first ledger: devices, cases, decisions, orders, what is owed to others, what was of no use."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_RowNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _instant(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _number() -> sa.Column[int]:
    return sa.Column("number", _RowNumber, primary_key=True)


def upgrade() -> None:
    """Create the tables."""
    _create_devices_and_cases()
    _create_decisions()
    _create_orders()
    _create_quarantine()


def _create_devices_and_cases() -> None:
    op.create_table(
        "devices",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("device_class", sa.Text, primary_key=True),
        sa.Column("device", sa.Text, primary_key=True),
        _text("facts"),
        sa.Column("online", sa.Boolean),
        _instant("last_seen"),
    )
    op.create_table(
        "cases",
        sa.Column("case_id", sa.Text, primary_key=True),
        _text("tenant"),
        _text("device_class"),
        _text("device"),
        _text("state"),
        _text("severity"),
        _instant("onset"),
        _instant("updated"),
        sa.Column("order_id", sa.Text),
        _text("document"),
    )
    op.create_index("cases_newest", "cases", ["onset", "case_id"])
    op.create_index("cases_of_device", "cases", ["tenant", "device_class", "device"])
    op.create_index("cases_state", "cases", ["state"])
    op.create_table(
        "case_events",
        _number(),
        _text("case_id"),
        _instant("at"),
        _text("event"),
        _text("rule"),
        _text("reason"),
        _text("document"),
        sa.UniqueConstraint("case_id", "at", "event", "rule", "reason", name="case_events_once"),
    )


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        _number(),
        _text("decision_id"),
        _text("case_id"),
        _text("tenant"),
        _text("device_class"),
        _text("device"),
        _text("fault"),
        _instant("at"),
        _text("document"),
        sa.UniqueConstraint("decision_id", name="decisions_once"),
    )
    op.create_index("decisions_of_case", "decisions", ["case_id", "at"])
    op.create_index("decisions_of_device", "decisions", ["tenant", "device_class", "device", "at"])


def _create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Text, primary_key=True),
        _text("case_id"),
        _text("tenant"),
        _text("device_class"),
        _text("device"),
        _text("component"),
        _text("fault"),
        _text("state"),
        sa.Column("is_open", sa.Boolean, nullable=False),
        _instant("opened_at"),
        _text("document"),
    )
    op.create_index("orders_newest", "orders", ["opened_at", "order_id"])
    op.create_index("orders_of_case", "orders", ["case_id"])
    op.create_index(
        "orders_one_open_for_a_fault",
        "orders",
        ["tenant", "device_class", "device", "component", "fault"],
        unique=True,
        sqlite_where=sa.text("is_open"),
        postgresql_where=sa.text("is_open"),
    )
    op.create_table(
        "outbox",
        _number(),
        _text("event_id"),
        _text("type"),
        sa.Column("subject", sa.Text, sa.ForeignKey("orders.order_id"), nullable=False),
        _text("payload"),
        _instant("created"),
        sa.Column("delivered", sa.BigInteger),
        sa.UniqueConstraint("event_id", name="outbox_once"),
    )


def _create_quarantine() -> None:
    op.create_table(
        "quarantine",
        _number(),
        _text("key"),
        _text("topic"),
        _text("reason"),
        _text("detail"),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        _instant("arrival"),
        sa.UniqueConstraint("key", name="quarantine_once"),
        sqlite_autoincrement=True,
    )
    op.create_index("quarantine_of_reason", "quarantine", ["reason", "number"])
    op.create_table("counters", sa.Column("name", sa.Text, primary_key=True), _instant("value"))

"""What of the outbox has been delivered to which target, and the trouble tickets of orders."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_RowNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables; the events of before are no new target's, so nothing is written."""
    op.create_table(
        "dispatch_targets",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("number", _RowNumber, primary_key=True),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("event", _RowNumber, sa.ForeignKey("outbox.number"), nullable=False),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("detail", sa.Text),
        sa.UniqueConstraint("target", "event", name="deliveries_once"),
    )
    op.create_index("deliveries_due", "deliveries", ["target", "state", "due"])
    op.create_index("deliveries_of_order", "deliveries", ["target", "order_id", "event"])
    op.create_index("deliveries_of_event", "deliveries", ["event"])
    op.create_table(
        "tickets",
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("order_id", sa.Text, primary_key=True),
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text),
        sa.Column("changed", sa.BigInteger, nullable=False),
    )

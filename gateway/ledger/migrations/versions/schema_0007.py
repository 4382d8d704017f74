"""Which status of its ticket an order has followed; dead letters are found whatever their target."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns, unknown for tickets of before, and the index of lists by state."""
    op.add_column("tickets", sa.Column("followed", sa.Text))
    op.add_column("tickets", sa.Column("followed_at", sa.BigInteger))
    op.create_index("deliveries_of_state", "deliveries", ["state", "number"])
    op.create_index("tickets_by_id", "tickets", ["target", "ticket_id"])

"""What happened to orders since they were opened: who changed what, when and why."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "order_changes",
        sa.Column("number", _ROW_NUMBER, primary_key=True),
        sa.Column("change_id", sa.Text, nullable=False),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("change_id", name="order_changes_once"),
    )
    op.create_index("order_changes_of_order", "order_changes", ["order_id", "number"])

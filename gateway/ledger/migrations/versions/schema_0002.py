"""Rows of the quarantine may be submitted again: whether all was kept, and when that was asked and done."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

#: Bytes of a payload that were kept when this step was written; older rows do not say whether there was more.
_KEPT = 4_096


def upgrade() -> None:
    """Add the columns; a payload that fills the room it had is taken for one that was cut."""
    op.add_column("quarantine", sa.Column("truncated", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("quarantine", sa.Column("retained", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("quarantine", sa.Column("retry_requested_at", sa.BigInteger))
    op.add_column("quarantine", sa.Column("retried_at", sa.BigInteger))
    op.create_index("quarantine_to_retry", "quarantine", ["retry_requested_at"])
    rows = sa.table(
        "quarantine",
        sa.column("payload", sa.LargeBinary),
        sa.column("reason", sa.Text),
        sa.column("truncated", sa.Boolean),
    )
    op.execute(
        rows.update()
        .where((sa.func.length(rows.c.payload) >= _KEPT) | (rows.c.reason == "payload_too_large"))
        .values(truncated=sa.true())
    )

"""The ledger's tables of accounts, sessions, tokens and the audit trail; instants are ms since 1970 UTC."""

import sqlalchemy as sa

from gateway.ledger.tables import RowNumber, metadata

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("account_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("grants", sa.Text, nullable=False),
    sa.Column("password", sa.Text),
    sa.Column("must_change", sa.Boolean, nullable=False),
    sa.Column("password_until", sa.BigInteger),
    sa.Column("language", sa.Text),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("issuer", sa.Text),
    sa.Column("subject", sa.Text),
    sa.UniqueConstraint("name", name="accounts_name_once"),
    sa.UniqueConstraint("issuer", "subject", name="accounts_subject_once"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("csrf", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("used", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Index("sessions_of_account", "account_id"),
    sa.Index("sessions_expire", "expires"),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("token_id", sa.Text, primary_key=True),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("start", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger),
    sa.Column("used", sa.BigInteger),
    sa.UniqueConstraint("key", name="tokens_once"),
    sa.Index("tokens_of_account", "account_id"),
)

#: Rows are added and, when they are old, let go; none is ever changed.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("number", RowNumber, primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("account", sa.Text),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Index("audit_at", "at"),
    sa.Index("audit_who", "who", "number"),
    sa.Index("audit_target", "target", "number"),
    sqlite_autoincrement=True,  # numbers grow, also after the newest row went
)

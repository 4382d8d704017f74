"""Alembic's entry: migrates over the connection, and inside the transaction, that the caller gives."""

from alembic import context

from gateway.ledger import access_tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=access_tables.accounts.metadata,
    version_table=context.config.attributes["version_table"],
)
with context.begin_transaction():
    context.run_migrations()

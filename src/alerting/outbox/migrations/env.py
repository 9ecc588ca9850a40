"""What Alembic runs a migration in: the connection that `schema` gives it."""

from alembic import context

from alerting.outbox.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()

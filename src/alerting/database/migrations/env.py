"""What Alembic runs a migration in: the connection and tables that `Schema` gives it."""

from alembic import context

attributes = context.config.attributes
context.configure(connection=attributes["connection"], target_metadata=attributes["tables"])
with context.begin_transaction():
    context.run_migrations()

"""Messages, their deliveries, and counters."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "messages",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("message_id", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("made_us", sa.Integer, nullable=False),
        sa.Column("committed", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("messages_committed", "messages", ["committed"])
    op.create_table(
        "deliveries",
        sa.Column("seq", sa.Integer, sa.ForeignKey("messages.seq"), primary_key=True, autoincrement=False),
        sa.Column("transport", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("since", sa.Integer, nullable=False),
        sa.Column("due", sa.Integer, nullable=False),
        sa.Column("attempted_us", sa.Integer),
        sa.Column("error", sa.Text),
        sqlite_with_rowid=False,
    )
    pending, dead = sa.text("state = 'pending'"), sa.text("state = 'dead'")
    op.create_index("deliveries_pending", "deliveries", ["transport", "due", "seq"], sqlite_where=pending)
    op.create_index("deliveries_dead", "deliveries", ["transport", "seq"], sqlite_where=dead)
    op.create_table(
        "totals",
        sa.Column("transport", sa.Text, primary_key=True),
        sa.Column("committed", sa.Integer, nullable=False),
        sa.Column("delivered", sa.Integer, nullable=False),
        sa.Column("discarded", sa.Integer, nullable=False),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Integer, nullable=False),
    )

"""Batches, the stream they are numbered in, and what became of flows."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "batches",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("flows", sa.Integer, nullable=False),
        sa.Column("oldest_us", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table("stream", sa.Column("id", sa.Text, primary_key=True))
    op.create_table(
        "totals",
        sa.Column("outcome", sa.Text, primary_key=True),
        sa.Column("flows", sa.Integer, nullable=False),
    )

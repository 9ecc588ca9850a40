"""Alerts, their details, what people said of them, and counters."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _make_alerts()
    _make_the_others()


def _make_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("alert_id", sa.Text, nullable=False, unique=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("opened_us", sa.Integer, nullable=False),
        sa.Column("changed_us", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("code", sa.Integer, nullable=False),
        sa.Column("severity", sa.Integer, nullable=False),
        sa.Column("p_attack_max", sa.Float, nullable=False),
        sa.Column("src_addr", sa.LargeBinary, nullable=False),
        sa.Column("src_port", sa.Integer, nullable=False),
        sa.Column("dst_addr", sa.LargeBinary, nullable=False),
        sa.Column("dst_port", sa.Integer, nullable=False),
        sa.Column("proto", sa.Text),
        sa.Column("sensor", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("acknowledged_by", sa.Text),
        sa.Column("acknowledged_us", sa.Integer),
        sa.Column("verdict", sa.Text),
        sa.Column("verdict_code", sa.Integer),
        sa.Column("note", sa.Text),
        sa.Column("judged_by", sa.Text),
        sa.Column("judged_us", sa.Integer),
    )
    op.create_index("alerts_seq", "alerts", ["seq"], unique=True)


def _make_the_others() -> None:
    op.create_table(
        "feature_sets",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("dialect", sa.Text, nullable=False),
        sa.Column("names", sa.Text, nullable=False),
    )
    op.create_table(
        "details",
        sa.Column(
            "number", sa.Integer, sa.ForeignKey("alerts.number"), primary_key=True, autoincrement=False
        ),
        sa.Column("eve", sa.LargeBinary, nullable=False),
        sa.Column("flow", sa.LargeBinary, nullable=False),
        sa.Column("features", sa.LargeBinary, nullable=False),
        sa.Column("feature_set", sa.Integer, sa.ForeignKey("feature_sets.id"), nullable=False),
    )
    op.create_table(
        "destinations",
        sa.Column(
            "number", sa.Integer, sa.ForeignKey("alerts.number"), primary_key=True, autoincrement=False
        ),
        sa.Column("addr", sa.LargeBinary, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "labels",
        sa.Column("alert_id", sa.Text, primary_key=True),
        sa.Column("labelled_us", sa.Integer, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("code", sa.Integer, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("who", sa.Text),
        sa.Column("flow", sa.LargeBinary, nullable=False),
        sa.Column("features", sa.LargeBinary, nullable=False),
        sa.Column("feature_set", sa.Integer, sa.ForeignKey("feature_sets.id"), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Integer, nullable=False),
    )

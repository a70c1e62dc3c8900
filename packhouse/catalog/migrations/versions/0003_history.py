"""Read the audit log and the channels' histories by time.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what version 3 has."""
    op.create_index("ix_audit_at_us", "audit", ["at_us", "id"])
    op.create_index("ix_events_at_us", "events", ["at_us"])

"""Find files by their bytes.

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what version 4 has."""
    op.create_index("ix_artifacts_sha256", "artifacts", ["sha256"])

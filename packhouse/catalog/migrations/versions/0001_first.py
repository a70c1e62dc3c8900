"""The first catalog.

Revision ID: 0001
"""

from alembic import op

from packhouse.catalog.schema import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table of version 1."""
    metadata.create_all(op.get_bind())

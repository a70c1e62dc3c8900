"""Bring a catalog to the newest version: loaded only when it is not there, since Alembic takes a tenth of a start."""

from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from packhouse.catalog.engine import writing
from packhouse.errors import NotAPackhouse


def upgrade(engine: Engine) -> None:
    """Run the migrations that are missing, all or none.

    Raises:
        NotAPackhouse: the catalog was written by a newer Packhouse.
    """
    config = Config()
    config.set_main_option("script_location", str(resources.files("packhouse.catalog") / "migrations"))
    script = ScriptDirectory.from_config(config)
    with writing(engine) as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
            raise NotAPackhouse(
                f"the catalog has version {current}, which this Packhouse does not know: "
                "start the newer Packhouse that wrote it"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

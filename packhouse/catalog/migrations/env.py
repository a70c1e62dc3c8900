"""Alembic's entry point: the connection is handed over by `packhouse.catalog.engine.migrate`."""

from alembic import context

from packhouse.catalog.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the transaction is the caller's, so that a failure leaves nothing behind
)
context.run_migrations()

"""Run by alembic, on the connection that `migrations.prepare` made."""

from alembic import context

from lampwork.store import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    transactional_ddl=False,
)
context.run_migrations()

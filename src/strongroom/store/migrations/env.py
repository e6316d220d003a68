"""Alembic runs this file; the connection is given by `migrations.upgrade`, already in a transaction."""

from __future__ import annotations

from alembic import context

from strongroom.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()

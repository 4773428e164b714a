"""Alembic's entry: runs the migrations on the connection it is handed. Opens none and configures no logging."""

from __future__ import annotations

from typing import Any

from alembic import context

from hunyuan_ocr.staging.schema import VERSION_TABLE
from hunyuan_ocr.staging.tables import metadata


def _is_ours(_object: Any, name: str | None, kind: str, reflected: bool, _compare_to: Any) -> bool:
    # The database may hold tables of others; comparing must not propose to drop them.
    return not (kind == "table" and reflected and name not in metadata.tables)


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    include_object=_is_ours,
    transactional_ddl=connection.dialect.name in {"sqlite", "postgresql", "mssql"},
)
with context.begin_transaction():
    context.run_migrations()

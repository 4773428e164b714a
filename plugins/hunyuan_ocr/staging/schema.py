"""Bring a database to the schema of this version: on first use, and by ``hunyuan-ocr db upgrade``.

Safe when several processes do it at once, and one query when there is nothing to do. Refuses a database that a newer
version of this package has upgraded.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, column, inspect, select, table, text
from sqlalchemy.exc import DBAPIError

from hunyuan_ocr.exceptions import ConfigurationError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0004"
"""The newest migration (a test compares it with the folder): knowing it spares the import of Alembic."""

VERSION_TABLE = "hocr_schema_version"
"""Its own name: the database may be shared with others who use Alembic."""

_LOCK = 0x686F6372  # "hocr"
_version = table(VERSION_TABLE, column("version_num"))


def revision_of(connection: Connection) -> str | None:
    """The migration the database stands at, ``None`` when it has never been upgraded."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(select(_version.c.version_num)).scalar()


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for our migrations, wherever the package is installed, on an open connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _quiet_alembic() -> Iterator[None]:
    logger = logging.getLogger("alembic")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def upgrade(engine: Engine, revision: str = "head") -> str:
    """Run the missing migrations in one transaction and return the revision reached.

    One process works, the others wait: a transaction lock in PostgreSQL, the write lock in SQLite.
    """
    from alembic import command

    with engine.execution_options(hocr_write=True).begin() as connection, _quiet_alembic():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        reached = revision_of(connection)
        if revision != "head" or reached != HEAD:
            _refuse_newer(connection, reached)
            command.upgrade(alembic_config(connection), revision)
            reached = revision_of(connection)
    return reached or ""


def downgrade(engine: Engine, revision: str = "base") -> None:
    """Undo migrations down to ``revision``. Drops tables with what is in them: for people, never on its own."""
    from alembic import command

    with engine.execution_options(hocr_write=True).begin() as connection, _quiet_alembic():
        command.downgrade(alembic_config(connection), revision)


def ensure_current(engine: Engine) -> None:
    """Upgrade when, and only when, the database is behind. A few milliseconds when it is not."""
    try:
        with engine.connect() as connection:
            reached = connection.execute(select(_version.c.version_num)).scalar()
    except DBAPIError:
        reached = None  # no version table, or no database file yet; a server that is down says so in upgrade()
    if reached != HEAD:
        upgrade(engine)


def _refuse_newer(connection: Connection, reached: str | None) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(alembic_config(connection)).walk_revisions()}
    if reached is not None and reached not in known:
        raise ConfigurationError(
            f"the staging database is at revision {reached}, which this version of hunyuan-ocr does not know. "
            "It was upgraded by a newer version: install that version, or point to another database."
        )

"""Opens the stores for a task: the database behind an Airflow connection, or the embedded default."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.settings import Settings

if TYPE_CHECKING:
    from hunyuan_ocr.intake.stores import Intake

#: Extras of Airflow's database connections that speak to its own hooks, not to the database driver.
_FOR_THE_HOOK = frozenset({"cursor", "iam", "aws_conn_id", "azure_conn_id", "redshift", "sqlalchemy_scheme"})


def database_url(settings: Settings) -> str:
    """The SQLAlchemy address of the pipeline store and the staging tables, password included: never log it.

    The connection's extras (``sslmode``, ``sslrootcert``, ``connect_timeout`` …) go to the database driver.

    :raises ConfigurationError: when the connection does not exist or names no database SQLAlchemy knows.
    """
    if not settings.database_conn_id:
        settings.home.mkdir(parents=True, exist_ok=True)
        return settings.sqlite_url
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        connection = BaseHook.get_connection(settings.database_conn_id)
    except AirflowNotFoundException:
        raise ConfigurationError(
            f"Connection {settings.database_conn_id} does not exist. Create it in Airflow (Admin > Connections), or "
            "leave [hunyuan_ocr] database_conn_id empty to keep everything in SQLite."
        ) from None
    from sqlalchemy import URL

    drivers = {"postgres": "postgresql+psycopg", "sqlite": "sqlite"}
    if connection.conn_type not in drivers:
        raise ConfigurationError(
            f"Connection {settings.database_conn_id} is of type {connection.conn_type}: the staging database must be "
            f"one of {', '.join(drivers)}."
        )
    is_file = connection.conn_type == "sqlite"
    url = URL.create(
        drivers[connection.conn_type],
        username=connection.login,
        password=connection.password,
        host=None if is_file else connection.host,
        port=connection.port,
        database=connection.host if is_file else connection.schema,
        query={}
        if is_file
        else {name: str(value) for name, value in connection.extra_dejson.items() if name not in _FOR_THE_HOOK},
    )
    return url.render_as_string(hide_password=False)


@contextmanager
def open_intake(settings: Settings | None = None) -> Iterator[Intake]:
    """The stores, closed again afterwards; the database is brought to the current schema on first use."""
    from hunyuan_ocr.intake.stores import Intake
    from hunyuan_ocr.sources.archive import Archive
    from hunyuan_ocr.staging.repository import Store

    settings = settings or Settings.load()
    with Store.open(database_url(settings)) as store:
        yield Intake(settings, store, Archive(settings.archive_url))

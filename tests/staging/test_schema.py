"""The schema: portable names and types, migrations that lead to it and back, on first use and by several at once."""

from __future__ import annotations

import logging
import multiprocessing
import re
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.staging.database import make_engine
from hunyuan_ocr.staging.repository import Store
from hunyuan_ocr.staging.schema import HEAD, VERSION_TABLE, alembic_config, downgrade, ensure_current, upgrade
from hunyuan_ocr.staging.tables import CONTRACT_TABLES, metadata
from tests.staging.conftest import BACKENDS

on_each_backend = pytest.mark.parametrize("empty_url", BACKENDS, indirect=True)
VIEWS = {"v_stg_ready", "v_stg_ready_line", "v_attention"}

# Reserved in SQL:2016 or by one of the servers, beside what SQLAlchemy knows of its dialects.
_RESERVED = """
all and any as asc at authorization between by case check collate column comment commit connect constraint
create cross current cursor date day default delete desc distinct drop else end escape except exec exists
external false fetch file for foreign from full function go grant group hash having hour identified identity if
in increment index initial inner insert intersect interval into is join key kill label left level like limit
line lineno lines lock long match maxextents merge minus minute mode modify month national natural no not nowait
null number of offline offset on online only open option or order outer over percent period plan precision
primary prior procedure public range rank raw read real references release rename resource result return revoke
right role row rowid rownum rows rule schema second select session set share size some source start state
successful synonym sysdate system table then time timestamp to top total tran trigger true truncate uid union
unique update use user using validate value values varchar varchar2 view when whenever where while with work
write year
"""


def test_names_are_short_and_reserved_nowhere() -> None:
    names = set(VIEWS)
    for table in metadata.tables.values():
        names |= {table.name, *(column.name for column in table.columns)}
        names |= {str(each.name) for each in (*table.constraints, *table.indexes)}
    assert "None" not in names, "every constraint and index has a name of ours"
    assert [name for name in names if len(name) > 30] == []
    assert names & set(_RESERVED.split()) == set()


@pytest.mark.parametrize("dialect", [sqlite, postgresql, mysql, mssql, oracle], ids=lambda each: each.__name__[20:])
def test_every_dialect_takes_the_tables_without_quoting_a_name(dialect: Any) -> None:
    for table in metadata.sorted_tables:
        statements = [CreateTable(table), *map(CreateIndex, table.indexes)]
        ddl = "\n".join(str(each.compile(dialect=dialect.dialect())) for each in statements)
        assert not re.search(r'["`\[]', re.sub(r"N?'(?:[^']|'')*'", "", ddl)), ddl


def test_a_row_fits_the_limit_of_mysql() -> None:
    for table in metadata.sorted_tables:
        types = [column.type.compile(dialect=mysql.dialect()) for column in table.columns]
        lengths = [int(found[1]) for found in (re.fullmatch(r"VARCHAR\((\d+)\)", each) for each in types) if found]
        assert lengths
        assert sum(lengths) * 4 < 65_535, table.name


def test_the_contract_explains_itself() -> None:
    for table in CONTRACT_TABLES:
        assert table.comment
        assert [column.name for column in table.columns if not column.comment] == []


@on_each_backend
def test_first_use_creates_everything_and_the_second_is_fast(empty_url: str) -> None:
    with Store.open(empty_url) as store:
        tables = set(inspect(store.engine).get_table_names())
        assert tables == {*metadata.tables, VERSION_TABLE}
        assert set(inspect(store.engine).get_view_names()) >= VIEWS
    engine = make_engine(empty_url)
    engine.connect().close()
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        ensure_current(engine)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.05
    engine.dispose()


@on_each_backend
def test_the_migrations_lead_to_the_tables_of_the_code(empty_url: str) -> None:
    with Store.open(empty_url) as store, store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "version_table": VERSION_TABLE, "target_metadata": metadata}
        )
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_one_the_code_knows() -> None:
    with create_engine("sqlite://").connect() as connection:
        assert ScriptDirectory.from_config(alembic_config(connection)).get_heads() == [HEAD]


@on_each_backend
def test_each_migration_can_be_undone_and_done_again(empty_url: str) -> None:
    engine = make_engine(empty_url)
    for revision in ("0001", "0002", "0003", "0004"):
        assert upgrade(engine, revision) == revision
    downgrade(engine)
    assert set(inspect(engine).get_table_names()) == {VERSION_TABLE}
    assert inspect(engine).get_view_names() == []
    assert upgrade(engine) == HEAD
    engine.dispose()


@on_each_backend
def test_a_database_of_a_newer_version_is_refused(empty_url: str) -> None:
    Store.open(empty_url).close()
    engine = make_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="newer version"):
        Store.open(empty_url)
    engine.dispose()


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'staging.db'}"
    with sqlite3.connect(tmp_path / "staging.db") as connection:
        connection.execute("CREATE VIEW v_attention AS SELECT 1 AS theirs")
    with pytest.raises(Exception, match="v_attention"):
        Store.open(url)
    assert inspect(create_engine(url)).get_table_names() == []


def test_tables_of_others_in_the_same_database_are_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "staging.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('theirs')")
    Store.open(f"sqlite:///{tmp_path / 'staging.db'}").close()
    with sqlite3.connect(tmp_path / "staging.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("theirs",)]


def _open_at_once(url: str, barrier: Any, outcomes: Any) -> None:
    barrier.wait()
    try:
        Store.open(url).close()
        outcomes.put("ok")
    except Exception as error:
        outcomes.put(repr(error))


@pytest.mark.parametrize("empty_url", BACKENDS[:2], indirect=True)
def test_several_processes_may_open_a_new_database_at_once(empty_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    barrier, outcomes = spawn.Barrier(3), spawn.Queue()
    workers = [spawn.Process(target=_open_at_once, args=(empty_url, barrier, outcomes)) for _ in range(3)]
    for worker in workers:
        worker.start()
    assert [outcomes.get(timeout=30) for _ in workers] == ["ok"] * 3
    for worker in workers:
        worker.join()


def test_upgrading_prints_and_logs_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        Store.open(f"sqlite:///{tmp_path / 'staging.db'}").close()
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_a_url_that_cannot_be_used_is_explained_without_its_password() -> None:
    for url in ("nonsense", "nosuchdb://user:secret@host/db"):
        with pytest.raises(ConfigurationError) as raised:
            make_engine(url)
        assert "secret" not in str(raised.value)


def test_a_state_nobody_knows_is_refused_by_the_database(store: Store) -> None:
    with pytest.raises(IntegrityError), store.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO source_item (item_id, source_code, external_key, received_at, first_seen_at, raw_sha256, "
                "raw_uri, size_bytes, is_mail, file_name, status) VALUES ('1', 'a', 'b', '2026-11-03 00:00:00', "
                "'2026-11-03 00:00:00', '', '', 1, 0, '', 'LOST')"
            )
        )

"""vLLM's core dies in the middle of an intake: the task starts it anew and asks only for what is not on record."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

from hunyuan_ocr.engines.core_processes import Process, descendants
from tests.integration.deployment import DAG_ID, Deployment, metadata_of_the_tests
from tests.vllm.test_intake import SOURCES, in_process_settings
from tests.vllm.tiny.pages import deliver, known_invoices

_TIMES = 10
_SECONDS = 600
_READINGS = "SELECT content_sha256, page_no, created_at FROM page_reading"


def test_a_killed_core_costs_at_most_the_pages_in_flight(
    checkpoint: Path, airflow_database: None, tmp_path: Path
) -> None:
    deployment = Deployment(tmp_path, {}, in_process_settings(checkpoint) | {"max_num_seqs": "4"})
    deployment.prepare(SOURCES, metadata_of_the_tests())
    deliver(deployment.home / "inbox", times=_TIMES)
    pages = _TIMES * len(known_invoices())
    log = tmp_path / "dag.log"
    with log.open("wb") as output:
        run = subprocess.Popen(
            ["airflow", "dags", "test", DAG_ID], env=deployment.environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        kept = _kill_the_core_once_pages_are_read(run, deployment.home / "hunyuan_ocr.db")
        run.wait(_SECONDS)
    finally:
        run.kill()
    told = log.read_text(errors="replace")
    assert "EngineDiedError" in told
    assert 0 < len(kept) < pages
    read = _readings(deployment.home / "hunyuan_ocr.db")
    assert len(read) == pages
    assert kept <= read, "a page that was on record was read again"
    (again,) = re.findall(r"read shard \d+: .*?'pages': (\d+)", told)
    assert int(again) <= pages - len(kept)


def _kill_the_core_once_pages_are_read(run: subprocess.Popen[bytes], database: Path) -> set[tuple[str, int, str]]:
    """The readings on record when vLLM's core was killed."""
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until and run.poll() is None:
        cores = [process for process in descendants(run.pid) if b"EngineCore" in _command_line(process)]
        kept = _readings(database)
        if cores and kept:
            os.kill(cores[0].pid, signal.SIGKILL)
            return kept
        time.sleep(0.05)
    raise AssertionError("no page was read while vLLM's core was there to be killed")


def _readings(database: Path) -> set[tuple[str, int, str]]:
    if not database.exists():
        return set()
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        try:
            return set(connection.execute(_READINGS))
        except sqlite3.OperationalError:  # the tables are not there yet
            return set()


def _command_line(process: Process) -> bytes:
    try:
        return Path(f"/proc/{process.pid}/cmdline").read_bytes()
    except OSError:
        return b""

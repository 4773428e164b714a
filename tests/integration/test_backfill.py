"""A real backfill by the real scheduler, beside the daily run, with a task killed in the middle."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from demo.samples import Sample
from demo.samples.faults import WRONG_TOTAL
from demo.samples.recipes import Recipe, make
from hunyuan_ocr.sources.base import Window
from hunyuan_ocr.staging.repository import Store
from tests.integration.deployment import DAG_ID, Deployment, metadata_of_the_tests
from tests.integration.intake_steps import run_of, run_steps
from tests.integration.scheduler import Airflow, free_port, is_healthy, last_lines, wait_until

SOURCES = "sources:\n- {code: inbox, kind: folder, path: inbox, stable_seconds: 0}\n"
#: The recipes of each of the three days.
DAYS = (
    (Recipe("monday_digital", "cn_digital_special", line_count=2), Recipe("monday_rechnung", "de_din", line_count=3)),
    (Recipe("tuesday_scan", "cn_vat_special", "scan", container="jpeg", line_count=2),),
    (
        Recipe("wednesday_digital", "cn_digital_general", line_count=2),
        Recipe("wednesday_wrong", "de_boxed", fault=WRONG_TOTAL, line_count=3),
    ),
)
#: A task of a backfill run that has work in its hands.
AT_WORK = (
    "select ti.pid, ti.task_id, ti.run_id, ti.map_index from task_instance ti join dag_run dr on dr.run_id = ti.run_id "
    "where dr.run_type = 'backfill' and ti.state = 'running' and ti.pid is not null "
    "and ti.task_id in ('prepare', 'ocr', 'reconcile', 'validate', 'load')"
)


def first_day() -> datetime:
    """06:00 of the day whose interval is the first of three that are certainly over."""
    return datetime.combine(datetime.now(UTC).date() - timedelta(days=5), time(6), UTC)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Files of three days, their modification times inside those days' intervals."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    for number, recipes in enumerate(DAYS):
        day = first_day() + timedelta(days=number)
        for position, recipe in enumerate(recipes):
            sample: Sample = make(folder, recipe, 2026, day.date())
            arrived = (day + timedelta(hours=4, minutes=position)).timestamp()
            os.utime(sample.path, (arrived, arrived))
    return folder


def undisturbed(inbox: Path, home: Path) -> str:
    """The staging rows of one run over all three days, which nothing happened to."""
    home.mkdir()
    shutil.copytree(inbox, home / "inbox", copy_function=shutil.copy2)
    run = run_of(run_id="manual__undisturbed", run_type="manual")
    rows = run_steps(home, replace(run, window=Window(first_day(), first_day() + timedelta(days=3))))
    assert rows.count('["stg_invoice", ') >= 3, rows[:500]
    return rows


@pytest.mark.timeout(420)
def test_a_backfill_beside_the_daily_run_with_a_task_killed_ends_in_the_rows_of_an_undisturbed_run(
    inbox: Path, tmp_path: Path, airflow_database: None
) -> None:
    expected = undisturbed(inbox, tmp_path / "undisturbed")
    deployment = Deployment(tmp_path / "site", {}, {"alert_to": "", "reject_ratio": "1"}, port=free_port())
    deployment.prepare(SOURCES, metadata_of_the_tests())
    shutil.copytree(inbox, deployment.home / "inbox", copy_function=shutil.copy2)
    with Airflow(deployment) as airflow:
        airflow.start_api_server()
        airflow.start("dag-processor")
        parsed = "select 1 from serialized_dag where dag_id = ?"
        wait_until(lambda: deployment.query(parsed, DAG_ID), 90, "the DAG was not parsed")
        # Before there is a scheduler: SQLite has one writer, and Airflow does not wait for its turn.
        days = [(first_day() + timedelta(days=offset)).isoformat() for offset in (0, 2)]
        created = deployment.airflow(
            "backfill", "create", "--dag-id", DAG_ID, "--from-date", days[0], "--to-date", days[1],
            "--max-active-runs", "2",
        )  # fmt: skip
        assert created.code == 0, created.log[-2000:]
        wait_until(lambda: is_healthy(deployment.port), 90, f"no API server:\n{last_lines(deployment.root)}")
        airflow.start("scheduler")
        killed = kill_one(deployment)
        wait_until(lambda: are_over(deployment), 240, f"the runs do not end:\n{last_lines(deployment.root)}")
    runs = deployment.query("select run_type, state from dag_run order by logical_date")
    assert runs.count(("backfill", "success")) == 3 and {state for _, state in runs} == {"success"}, runs
    ((tries,),) = deployment.query(
        "select try_number from task_instance where task_id = ? and run_id = ? and map_index = ?", *killed
    )
    assert tries > 1, f"{killed} was not tried again"
    with Store.open(f"sqlite:///{deployment.home / 'hunyuan_ocr.db'}") as store:
        assert store.dump_staging().splitlines() == expected.splitlines()
    assert not [path for path in (deployment.home / "inbox").iterdir() if path.is_file()], "the source was settled"


def kill_one(deployment: Deployment) -> tuple[str, str, int]:
    """Kill the process of the first task of the backfill that is seen at work; which it was."""
    found: list[tuple[int, str, str, int]] = []

    def seen() -> bool:
        found.extend(deployment.query(AT_WORK))
        return bool(found)

    wait_until(seen, 120, f"no task of the backfill was seen at work:\n{last_lines(deployment.root)}")
    pid, task_id, run_id, map_index = found[0]
    os.kill(pid, signal.SIGKILL)
    return task_id, run_id, map_index


def are_over(deployment: Deployment) -> bool:
    states = [state for (state,) in deployment.query("select state from dag_run where dag_id = ?", DAG_ID)]
    return len(states) >= 3 and set(states) <= {"success", "failed"}

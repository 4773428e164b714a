"""Nothing lost, nothing twice: repeated, backfilled and killed runs end in the same staging rows."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from demo.samples import demo_set
from hunyuan_ocr.staging.repository import Store
from tests.integration.intake_steps import DAY, STEPS, run_of, run_steps

REPOSITORY = Path(__file__).resolve().parents[2]
# One of each kind that matters here: read from text, read by OCR, rejected, set aside, the same bytes twice.
_WANTED = ("cn_digital_special_cable", "receipt", "wrong_total", "locked", "empty", "again", "works_scan")


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    everything = tmp_path_factory.mktemp("samples")
    folder = tmp_path_factory.mktemp("documents") / "inbox"
    folder.mkdir()
    for number, sample in enumerate(demo_set(everything, date(2026, 3, 1))):
        if any(word in sample.file for word in _WANTED):
            copy = folder / sample.file
            shutil.copyfile(sample.path, copy)
            arrived = DAY.start.timestamp() + 60 * number
            os.utime(copy, (arrived, arrived))
    return folder


def home_with(inbox: Path, folder: Path) -> Path:
    shutil.copytree(inbox, folder / "inbox")
    return folder


@pytest.fixture(scope="module")
def undisturbed(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The staging rows of a run that nothing happened to."""
    rows = run_steps(home_with(inbox, tmp_path_factory.mktemp("undisturbed")), run_of())
    assert rows.count('"stg_invoice"') >= 1, rows[:300]
    return rows


def test_the_same_run_twice_changes_nothing(inbox: Path, undisturbed: str, tmp_path: Path) -> None:
    home = home_with(inbox, tmp_path)
    assert run_steps(home, run_of()) == undisturbed
    assert run_steps(home, run_of()) == undisturbed


def test_a_second_run_over_the_same_interval_changes_nothing(inbox: Path, undisturbed: str, tmp_path: Path) -> None:
    home = home_with(inbox, tmp_path)
    assert run_steps(home, run_of()) == undisturbed
    assert run_steps(home, run_of(run_id="manual__2026-03-01", run_type="manual")) == undisturbed


def test_a_backfill_of_the_interval_ends_in_the_same_rows(inbox: Path, undisturbed: str, tmp_path: Path) -> None:
    assert run_steps(home_with(inbox, tmp_path), run_of(run_id="backfill__1", run_type="backfill")) == undisturbed


def test_a_backfill_after_the_daily_run_changes_nothing_though_the_files_have_moved(
    inbox: Path, undisturbed: str, tmp_path: Path
) -> None:
    home = home_with(inbox, tmp_path)
    run_steps(home, run_of())
    assert not [path for path in (home / "inbox").iterdir() if path.is_file()], "the source was settled"
    assert run_steps(home, run_of(run_id="backfill__1", run_type="backfill")) == undisturbed


def test_reprocessing_reads_the_archive_and_changes_nothing_when_nothing_has_changed(
    inbox: Path, undisturbed: str, tmp_path: Path
) -> None:
    home = home_with(inbox, tmp_path)
    run_steps(home, run_of())
    again = run_of(run_id="backfill__1", run_type="backfill", reprocess=True)
    assert run_steps(home, again) == undisturbed


def killed(home: Path, *how: str) -> int:
    command = [sys.executable, "-m", "tests.integration.intake_steps", str(home), *how]
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'plugins'}{os.pathsep}{REPOSITORY}"}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, timeout=120).returncode


@pytest.mark.parametrize("step", STEPS)
def test_killed_after_a_step_and_run_again(step: str, inbox: Path, undisturbed: str, tmp_path: Path) -> None:
    home = home_with(inbox, tmp_path)
    assert killed(home, "--kill-after", step) == -signal.SIGKILL
    assert run_steps(home, run_of()) == undisturbed
    assert_sound(home)


@pytest.mark.parametrize("commit", [2, 5, 9, 14, 20, 27, 35])
def test_killed_inside_a_step_and_run_again(commit: int, inbox: Path, undisturbed: str, tmp_path: Path) -> None:
    home = home_with(inbox, tmp_path)
    assert killed(home, "--kill-at-commit", str(commit)) == -signal.SIGKILL
    assert run_steps(home, run_of()) == undisturbed
    assert_sound(home)


def assert_sound(home: Path) -> None:
    """Every invoice has a whole chain of events."""
    with Store.open(f"sqlite:///{home / 'hunyuan_ocr.db'}") as store, store.reading() as connection:
        from sqlalchemy import text

        for invoice_id in connection.execute(text("select invoice_id from invoice")).scalars():
            store.verify_events(invoice_id)

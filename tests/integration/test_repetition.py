"""Nothing lost, nothing twice: repeated, backfilled and killed runs end in the same staging rows."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from datetime import date
from itertools import takewhile
from pathlib import Path

import pytest

from demo.samples.faults import WRONG_TOTAL
from demo.samples.recipes import Recipe, make
from hunyuan_ocr.staging.repository import Store
from tests.integration.intake_steps import DAY, STEPS, run_and_die, run_of, run_steps

# One of each kind that matters here: read from text, read by OCR, rejected. What cannot be read, and the same bytes
# twice, are added to them.
_RECIPES = (
    Recipe("digital", "cn_digital_special", line_count=2),
    Recipe("till_receipt", "receipt_gb", "scan", container="jpeg"),
    Recipe("total_does_not_add_up", "de_boxed", fault=WRONG_TOTAL, line_count=2),
)


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents") / "inbox"
    folder.mkdir()
    paths = [make(folder, recipe, 2026, date(2026, 3, 1)).path for recipe in _RECIPES]
    paths += [folder / "same_bytes.pdf", folder / "empty.pdf", folder / "damaged.pdf"]
    paths[-3].write_bytes(paths[0].read_bytes())
    paths[-2].write_bytes(b"")
    paths[-1].write_bytes(paths[0].read_bytes()[:3000])
    for number, path in enumerate(paths):
        arrived = DAY.start.timestamp() + 60 * number
        os.utime(path, (arrived, arrived))
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


# A server that has imported what takes seconds, and forks a process for each killing.
_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(["great_expectations", "onnxruntime", "rapidocr", "tests.integration.intake_steps"])


def killed(home: Path, **how: str | int) -> int | None:
    """Run the steps in a process that kills itself; its exit code."""
    process = _forking.Process(target=run_and_die, args=(home,), kwargs=how)
    process.start()
    process.join(120)
    return process.exitcode


@pytest.mark.parametrize("step", STEPS)
def test_killed_after_a_step_and_run_again(step: str, inbox: Path, undisturbed: str, tmp_path: Path) -> None:
    home = home_with(inbox, tmp_path)
    assert killed(home, after_step=step) == -signal.SIGKILL
    assert run_steps(home, run_of()) == undisturbed
    assert_sound(home)


def test_killed_again_and_again_inside_its_steps_and_run_again(inbox: Path, undisturbed: str, tmp_path: Path) -> None:
    home = home_with(inbox, tmp_path)
    # Every attempt finds what the ones before it have committed and dies a little later, until one comes through.
    ends = list(takewhile(lambda end: end == -signal.SIGKILL, (killed(home, at_commit=n) for n in range(1, 30, 2))))
    assert len(ends) >= 5, "killed at so many places"
    assert run_steps(home, run_of()) == undisturbed
    assert_sound(home)


def assert_sound(home: Path) -> None:
    """Every invoice has a whole chain of events."""
    with Store.open(f"sqlite:///{home / 'hunyuan_ocr.db'}") as store, store.reading() as connection:
        from sqlalchemy import text

        for invoice_id in connection.execute(text("select invoice_id from invoice")).scalars():
            store.verify_events(invoice_id)

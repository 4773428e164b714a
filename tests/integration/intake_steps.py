"""Runs the steps of an intake outside Airflow, and dies by SIGKILL where a test wants it to."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import event

from hunyuan_ocr.hooks.engine_factory import model_access
from hunyuan_ocr.hooks.source_factory import configured_sources, open_source
from hunyuan_ocr.hooks.stores import open_intake
from hunyuan_ocr.intake.collect import collect
from hunyuan_ocr.intake.gate import check_run
from hunyuan_ocr.intake.load import load
from hunyuan_ocr.intake.ocr import pages_to_read, read_pages
from hunyuan_ocr.intake.prepare import prepare
from hunyuan_ocr.intake.reconcile import reconcile_shard
from hunyuan_ocr.intake.report import report
from hunyuan_ocr.intake.run import IntakeRun
from hunyuan_ocr.intake.settle import settle
from hunyuan_ocr.intake.shards import assign_shards
from hunyuan_ocr.intake.stores import Intake
from hunyuan_ocr.intake.validate import validate
from hunyuan_ocr.settings import Settings
from hunyuan_ocr.sources.base import Window

STEPS = ("collect", "shards", "prepare", "ocr", "reconcile", "validate", "load", "report", "settle", "gate")
DAY = Window(datetime(2026, 3, 1, 6, tzinfo=UTC), datetime(2026, 3, 2, 6, tzinfo=UTC))
log = logging.getLogger(__name__)


def run_of(*, run_id: str = "scheduled__2026-03-01", run_type: str = "scheduled", reprocess: bool = False) -> IntakeRun:
    return IntakeRun(
        dag_id="invoice_intake",
        run_id=run_id,
        run_type=run_type,
        window=DAY,
        takes_backlog=run_type != "backfill",
        reprocess=reprocess,
        reject_ratio=1.0,
    )


def settings_for(home: Path) -> Settings:
    """The settings of a deployment in ``home`` whose only source is the folder ``home/inbox``."""
    (home / "sources.yaml").write_text(
        "sources:\n- {code: inbox, kind: folder, path: inbox, stable_seconds: 0}\n", encoding="utf-8"
    )
    os.environ["AIRFLOW__HUNYUAN_OCR__HOME"] = str(home)
    return Settings.load()


def run_steps(home: Path, run: IntakeRun, after: Callable[[str], None] = lambda step: None) -> str:
    """All steps in order; the staging rows as a canonical text."""
    settings = settings_for(home)
    with open_intake(settings) as intake:
        (config,) = configured_sources(settings=settings)
        for step in STEPS:
            match step:
                case "collect":
                    with open_source(config) as source:
                        collect(intake, source, run.window)
                case "shards":
                    assign_shards(intake, run, [config.code])
                case "prepare":
                    _each_shard(intake, run, lambda shard: prepare(intake, run, shard))
                case "ocr":
                    for shard in pages_to_read(intake, run):
                        read_pages(intake, run, shard, log, model_access(settings))
                case "reconcile":
                    _each_shard(intake, run, lambda shard: reconcile_shard(intake, run, shard))
                case "validate":
                    validate(intake, run)
                case "load":
                    load(intake, run)
                case "report":
                    report(intake, run, links={})
                case "settle":
                    settle(intake, run, config.code, lambda: open_source(config))
                case "gate":
                    check_run(intake, run, failed_tasks=[])
            after(step)
        return intake.store.dump_staging()


def _each_shard(intake: Intake, run: IntakeRun, work: Callable[[int], object]) -> None:
    for shard in intake.store.shards_of(intake.batch(run)):
        work(shard.shard_no)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at_commit(number: int) -> None:
    from sqlalchemy.engine import Engine

    commits = 0

    # After the statement, before the commit takes effect: the worst moment there is.
    @event.listens_for(Engine, "commit")
    def count(_connection: object) -> None:
        nonlocal commits
        commits += 1
        if commits == number:
            _die()


def run_and_die(home: Path, *, after_step: str | None = None, at_commit: int | None = None) -> None:
    """Run the steps over ``home/inbox`` in a process of its own, until it kills itself."""
    if at_commit:
        _die_at_commit(at_commit)
    run_steps(home, run_of(), after=lambda step: _die() if step == after_step else None)

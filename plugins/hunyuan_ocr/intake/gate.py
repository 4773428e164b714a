"""Gate: is the run green? Only when everything that arrived is accounted for and most of it was good."""

from __future__ import annotations

from collections.abc import Sequence

from hunyuan_ocr.exceptions import RunRejectedError
from hunyuan_ocr.intake.report import summary_counts
from hunyuan_ocr.intake.run import IntakeRun
from hunyuan_ocr.intake.stores import Intake


def check_run(intake: Intake, run: IntakeRun, *, failed_tasks: Sequence[str]) -> dict[str, int]:
    """The run's counts.

    :raises RunRejectedError: when a task failed, a document was lost or too many invoices were rejected; the message
        says which and what to do.
    """
    summary = intake.store.batch_summary(intake.batch(run))
    problems: list[str] = []
    if failed_tasks:
        problems.append(f"failed tasks: {', '.join(failed_tasks)} (look at their logs, mend the cause, clear them)")
    if summary.lost:
        problems.append(
            f"{len(summary.lost)} documents are in no final state (clear the task that should have read them)"
        )
    if summary.reject_ratio > run.reject_ratio:
        problems.append(
            f"{summary.reject_ratio:.0%} of the invoices were rejected, more than reject_ratio {run.reject_ratio:.0%} "
            "allows (see the alert or the view v_attention)"
        )
    intake.store.close_batch(intake.batch(run), failed=bool(problems))
    if problems:
        raise RunRejectedError(f"run {run.run_id} is not good: " + "; ".join(problems))
    return summary_counts(summary)

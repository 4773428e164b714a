"""Settle: tell a source what became of its items, once everything in them has found its place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from hunyuan_ocr.exceptions import SourceRefusedError
from hunyuan_ocr.intake.run import IntakeRun
from hunyuan_ocr.intake.stores import Intake
from hunyuan_ocr.sources.base import Source


def settle(
    intake: Intake, run: IntakeRun, source_code: str, open_source: Callable[[], AbstractContextManager[Source]]
) -> dict[str, int]:
    """Move, flag or rename the run's finished items at the source; without any, the source is not even opened.

    The ledger is marked after the source, so that a killed task repeats a step that changes nothing the second time.

    :raises SourceRefusedError: when the source refused an item, once all the others are settled.
    """
    ready = [item for item in intake.store.items_ready_to_settle(intake.batch(run)) if item.source_code == source_code]
    counts = {"settled": 0, "accepted": 0, "needs_review": 0}
    if not ready:
        return counts
    refusal: SourceRefusedError | None = None
    with open_source() as source:
        for item in ready:
            try:
                source.settle(item.external_key, item.verdict)
            except SourceRefusedError as error:
                # It may refuse one way of settling and not the other (a mailbox without keywords can still move mails).
                refusal = refusal or error
                continue
            intake.store.mark_settled(item.item_id, item.verdict)
            counts["settled"] += 1
            counts[item.verdict.value] += 1
    if refusal:
        raise refusal
    return counts

"""Shards: the run's batch and which of its source items are worked on together."""

from __future__ import annotations

from collections.abc import Sequence

from hunyuan_ocr.intake.run import IntakeRun
from hunyuan_ocr.intake.stores import Intake
from hunyuan_ocr.settings import MEGA


def assign_shards(intake: Intake, run: IntakeRun, source_codes: Sequence[str]) -> dict[int, int]:
    """Open the batch and divide its items; the number of items by shard."""
    shards = intake.store.assign_shards(
        intake.open_batch(run),
        source_codes,
        run.window,
        include_backlog=run.takes_backlog,
        reprocess=run.reprocess,
        max_items=intake.settings.shard_items,
        max_bytes=intake.settings.shard_megabytes * MEGA,
    )
    return {shard.shard_no: shard.n_items for shard in shards}

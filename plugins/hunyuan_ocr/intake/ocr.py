"""OCR: read the pages that need eyes and commit each at once, by RapidOCR here or by the model's pipeline."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from hunyuan_ocr.intake.hunyuan import read_with_model, reading_key_of_model
from hunyuan_ocr.intake.problems import set_aside
from hunyuan_ocr.intake.run import IntakeRun
from hunyuan_ocr.intake.stores import Intake
from hunyuan_ocr.model.geometry import Reading
from hunyuan_ocr.readers.pages import iter_page_images
from hunyuan_ocr.readers.rapid import RapidReader
from hunyuan_ocr.staging.identity import invoice_id
from hunyuan_ocr.staging.rows import PendingPage

if TYPE_CHECKING:
    from hunyuan_ocr.intake.hunyuan import ModelAccess

PROGRESS_SECONDS = 15.0


def reading_key(intake: Intake, run: IntakeRun) -> str:
    """The journal's name for what this run's reader of pictures sees: another reader or other questions, another name.

    Known on every worker: it names the model and its revision, not the versions that run it (those stand with each
    answer).
    """
    if intake.settings.engine.is_model:
        return reading_key_of_model(intake, run)
    return _rapid_reader(intake).engine_key


def pages_to_read(intake: Intake, run: IntakeRun) -> dict[int, int]:
    """How many pages wait to be read, by shard; shards without any are left out."""
    batch, key = intake.batch(run), reading_key(intake, run)
    waiting = {
        shard.shard_no: len(intake.store.pages_needing_eyes(batch, shard.shard_no, key))
        for shard in intake.store.shards_of(batch)
    }
    return {shard_no: pages for shard_no, pages in waiting.items() if pages}


def read_pages(
    intake: Intake, run: IntakeRun, shard_no: int, log: Any, model: ModelAccess | None = None
) -> dict[str, int]:
    """Read the shard's waiting pages; the journal keeps each as soon as it is read. Gives counts.

    A document that cannot be read is set aside and the others go on. ``model`` opens the engine of the settings; it is
    not asked to when no page waits. Raises what engines raise.
    """
    waiting = intake.store.pages_needing_eyes(intake.batch(run), shard_no, reading_key(intake, run))
    if not waiting:
        return {"pages": 0, "set_aside": 0}
    if not intake.settings.engine.is_model:
        return _read_with_rapid(intake, waiting, log)
    if model is None:
        raise TypeError(f"engine {intake.settings.engine} needs somebody to open it")
    return read_with_model(intake, run, shard_no, waiting, log, model)


def _read_with_rapid(intake: Intake, waiting: Sequence[PendingPage], log: Any) -> dict[str, int]:
    reader = _rapid_reader(intake)
    counts, started, told = Counter(pages=0, set_aside=0), time.monotonic(), time.monotonic()
    for content_sha256, group in groupby(waiting, key=lambda page: page.content_sha256):
        pages = list(group)
        readings = _readings(reader, intake, content_sha256, pages)
        while True:
            try:
                reading = next(readings, None)
            except Exception as error:
                set_aside(intake.store, invoice_id(content_sha256), error, "the document")
                counts["set_aside"] += 1
                break
            if reading is None:
                break
            intake.store.record_reading(content_sha256, reader.engine_key, reading)
            counts["pages"] += 1
            if time.monotonic() - told > PROGRESS_SECONDS:
                told = time.monotonic()
                log.info(
                    "%d of %d pages, %.2f a second", counts["pages"], len(waiting), counts["pages"] / (told - started)
                )
    return dict(counts)


def _rapid_reader(intake: Intake) -> RapidReader:
    return RapidReader(threads=intake.settings.ocr_threads or None, budget=intake.budget)


def _readings(
    reader: RapidReader, intake: Intake, content_sha256: str, pages: Sequence[PendingPage]
) -> Iterator[Reading]:
    raw = intake.archive.get(content_sha256)
    for image in iter_page_images(raw, pages[0].media_type, intake.budget, [page.page_no for page in pages]):
        yield reader.read(image)

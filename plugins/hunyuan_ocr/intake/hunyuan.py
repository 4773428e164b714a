"""OCR with HunyuanOCR: opens the engine once for a shard, runs its pages through the pipeline, journals each.

The event loop has a thread of its own, so that Airflow's timeout and signals find the main thread listening.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from hunyuan_ocr.engines.base import Answer, Engine
from hunyuan_ocr.engines.cache import TieredCache
from hunyuan_ocr.extraction.examiner import PageExaminer
from hunyuan_ocr.extraction.pipeline import PageJob, PipelineCounts, run_pipeline
from hunyuan_ocr.intake.problems import set_aside
from hunyuan_ocr.intake.run import IntakeRun
from hunyuan_ocr.intake.stores import Intake, page_budget
from hunyuan_ocr.readers.hunyuan import HunyuanPageReader, PageResult
from hunyuan_ocr.readers.rendering import RenderPool
from hunyuan_ocr.settings import MEGA, Settings
from hunyuan_ocr.staging.identity import invoice_id
from hunyuan_ocr.staging.rows import InvoiceRow, PendingPage

_MOST_RENDERERS = 8
# The journal takes 200 characters for the whole key.
_LONGEST_NAME = 100
# How long a stopped task waits for its engine to be gone; Airflow kills after 60 seconds.
_STOP_SECONDS = 45.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelAccess:
    """How the OCR step reaches the model; what is behind it (connections, GPU) is the caller's business.

    ``open_cache`` is given the journal's lookup by content. ``can_be_stopped`` is handed functions that end the reading
    from any thread; to stop it, call all of them in order.
    """

    open_engine: Callable[[], Engine]
    open_cache: Callable[[Callable[[str], Answer | None]], TieredCache]
    can_be_stopped: Callable[[Callable[[], None]], None] = lambda stop: None


class ReadingStoppedError(Exception):
    """The task was told to stop while pages were being read. Those that were finished are kept."""


def reading_key_of_model(intake: Intake, run: IntakeRun) -> str:
    """The journal's name for readings of the configured model; see ``ocr.reading_key``.

    The profile is not part of it: it decides which votes are asked for, not what is seen on the page.
    """
    settings, spec = intake.settings, intake.settings.model_spec
    examiner = PageExaminer(intake.profiles, spec.family, extra_keys=run.extra_keys, instruction=run.instruction)
    name = spec.key if len(spec.key) <= _LONGEST_NAME else hashlib.sha256(spec.key.encode()).hexdigest()[:32]
    asked = f"{examiner.first().prompt.sha256}\n{examiner.question_key}"
    pixels = "+".join(str(number) for number in _pixels(settings))
    return f"hunyuan/{name}/{spec.family}/{pixels}px/{hashlib.sha256(asked.encode()).hexdigest()[:16]}"


def read_with_model(
    intake: Intake, run: IntakeRun, shard_no: int, waiting: Sequence[PendingPage], log: Any, model: ModelAccess
) -> dict[str, int]:
    """Read the waiting pages of a shard. Gives counts: pages, documents set aside, attempts, answers, tokens.

    Raises what engines raise, and ReadingStoppedError.
    """
    counts = in_a_loop(lambda: _read(intake, run, shard_no, waiting, log, model), model.can_be_stopped)
    return {
        "pages": counts.pages,
        "set_aside": counts.set_aside,
        "pages_tried_again": counts.retried,
        "questions": counts.asked,
        "cache_hits": counts.cached,
        "unfinished_answers": counts.unfinished,
        "tokens_in": counts.prompt_tokens,
        "tokens_out": counts.completion_tokens,
    }


async def _read(
    intake: Intake, run: IntakeRun, shard_no: int, waiting: Sequence[PendingPage], log: Any, model: ModelAccess
) -> PipelineCounts:
    rows = {row.content_sha256: row for row in intake.store.invoices_in_shard(intake.batch(run), shard_no)}
    key, total = reading_key_of_model(intake, run), PipelineCounts()

    def commit(job: PageJob, result: PageResult) -> None:
        intake.store.record_page(job.content_sha256, key, result.reading, result.answers)

    def put_aside(job: PageJob, error: Exception) -> None:
        set_aside(intake.store, invoice_id(job.content_sha256), error, job.file_name)

    async with started(intake.settings, model, intake.store.answer_by_key, log) as desk:
        for profile, jobs in _by_profile(intake, run, rows, waiting).items():
            examiner = PageExaminer(
                intake.profiles,
                intake.settings.model_spec.family,
                profile_name=profile,
                extra_keys=run.extra_keys,
                instruction=run.instruction,
            )
            total += await desk.read(
                jobs, examiner, reading_key=key, load=intake.archive.get, commit=commit, set_aside=put_aside
            )
    return total


@dataclass(frozen=True, slots=True)
class Desk:
    """A started engine, the processes that draw pages for it and the cache beside it: ready to read."""

    settings: Settings
    engine: Engine
    pool: RenderPool
    cache: TieredCache
    log: Any

    async def read(
        self,
        jobs: Sequence[PageJob],
        examiner: PageExaminer,
        *,
        reading_key: str,
        load: Callable[[str], bytes],
        commit: Callable[[PageJob, PageResult], None],
        set_aside: Callable[[PageJob, Exception], None],
    ) -> PipelineCounts:
        """Read pages; see ``extraction.pipeline.run_pipeline`` for the callbacks and what it raises."""
        reader = HunyuanPageReader(
            self.engine,
            examiner,
            self.cache,
            reading_key=reading_key,
            pixels=_pixels(self.settings),
            max_attempts=self.settings.page_attempts,
        )
        return await run_pipeline(
            jobs,
            load=load,
            read=reader,
            commit=commit,
            set_aside=set_aside,
            pool=self.pool,
            capacity=self.engine.capacity,
            log=self.log,
            stall_seconds=float(self.settings.engine_stall_seconds),
        )


@asynccontextmanager
async def started(
    settings: Settings, model: ModelAccess, lookup: Callable[[str], Answer | None], log: Any
) -> AsyncIterator[Desk]:
    """The engine started and probed, and what it works with; all of it is closed again. Raises what engines raise."""
    pool = RenderPool(
        settings.render_processes or _renderers(),
        timeout=settings.render_seconds,
        memory_limit=settings.render_megabytes * 1024 * 1024,
        budget=page_budget(settings),
    )
    engine = model.open_engine()
    if end_at_once := getattr(engine, "stop_now", None):
        # An engine in this process hears no cancellation while it loads the model.
        model.can_be_stopped(end_at_once)
    async with engine, pool, aclosing(model.open_cache(lookup)) as cache:
        log.info("%s answers, up to %d questions at once", engine.key, engine.capacity)
        yield Desk(settings, engine, pool, cache, log)


def _by_profile(
    intake: Intake, run: IntakeRun, rows: Mapping[str, InvoiceRow], waiting: Sequence[PendingPage]
) -> dict[str | None, list[PageJob]]:
    """The pages by the profile that was fixed for them: by the person or DAG, else by their source, else none."""
    jobs: dict[str | None, list[PageJob]] = defaultdict(list)
    for page in waiting:
        row = rows.get(page.content_sha256)
        source = intake.sources.get(row.source_code) if row else None
        profile = run.prompt_profile or (source.prompt_profile if source else None)
        jobs[profile].append(
            PageJob(page.content_sha256, page.page_no, page.media_type, row.file_name if row else "the document")
        )
    return jobs


def _pixels(settings: Settings) -> tuple[int, int]:
    return int(settings.model_megapixels * MEGA), int(settings.model_retry_megapixels * MEGA)


def _renderers() -> int:
    return min(_MOST_RENDERERS, max(1, (os.cpu_count() or 2) - 1))


def in_a_loop(work: Callable[[], Coroutine[Any, Any, T]], can_be_stopped: Callable[[Callable[[], None]], None]) -> T:
    """Run ``work`` in a loop of its own thread; an exception here, such as Airflow's timeout, stops it first."""
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio.run made one
        running.append((asyncio.get_running_loop(), task))
        return await work()

    def stop() -> None:
        for loop, task in running:
            if not loop.is_closed():
                loop.call_soon_threadsafe(task.cancel)

    thread = ThreadPoolExecutor(1, thread_name_prefix="hunyuan-ocr-loop")
    done = thread.submit(lambda: asyncio.run(main()))
    can_be_stopped(stop)
    try:
        return done.result()
    except asyncio.CancelledError:
        raise ReadingStoppedError("The task was told to stop; the pages that were finished are kept.") from None
    except BaseException:
        stop()
        wait([done], _STOP_SECONDS)
        raise
    finally:
        thread.shutdown(wait=False)

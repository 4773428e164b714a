"""The pipeline of one OCR task: pages in, each fetched, drawn, asked about and committed, with no step waiting for all.

A fixed number of pages is in work, of whichever documents come next; a page is admitted before anything is done for
it, and some more are admitted than the engine answers at once, so that drawing overlaps answering. Each page is
committed as soon as it is read, by one thread, in the order they finish. Nothing is kept of a finished page, so that
memory and disk do not grow with the run.

Sorts what goes wrong: a document's fault costs that document, everything else ends the run with the pages read so far
committed, so that a retry asks only for the rest. It knows neither the store nor the archive nor Airflow.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from hunyuan_ocr.engines.stats import EngineStats
from hunyuan_ocr.exceptions import DocumentError, EngineDiedError, HunyuanOCRError, SourceUnavailableError
from hunyuan_ocr.extraction.spool import Spool
from hunyuan_ocr.readers.asking import Asker
from hunyuan_ocr.readers.hunyuan import HunyuanPageReader, PageResult
from hunyuan_ocr.readers.rendering import DocumentFile, RenderPool

log = logging.getLogger(__name__)

ADMITTED_PER_SLOT = 1.5
PROGRESS_SECONDS = 15.0
STALL_SECONDS = 600.0
# A run that must end lets the pages in flight finish for so long: what is answered need not be asked again.
DRAIN_SECONDS = 30.0


class Log(Protocol):
    """A logger, of Airflow or of the standard library."""

    def info(self, msg: str, *args: object) -> None: ...

    def warning(self, msg: str, *args: object) -> None: ...


@dataclass(frozen=True, slots=True)
class PageJob:
    """One page to be read. ``page_no`` counts from 1, ``file_name`` is the one people know the document by."""

    content_sha256: str
    page_no: int
    media_type: str
    file_name: str = ""


@dataclass(slots=True)
class PipelineCounts:
    """The story of a run. ``pages`` are committed ones, ``set_aside`` documents, ``skipped`` the pages of those that
    were not read; ``retried`` counts the pictures beyond a page's first, ``unfinished`` the answers that ran away or
    were cut off, ``cached`` those that nobody had to be asked for."""

    pages: int = 0
    set_aside: int = 0
    skipped: int = 0
    retried: int = 0
    asked: int = 0
    cached: int = 0
    unfinished: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: PipelineCounts) -> PipelineCounts:
        """Of one run after the other."""
        return PipelineCounts(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})


async def run_pipeline(
    pages: Iterable[PageJob],
    *,
    load: Callable[[str], bytes | Path],
    read: HunyuanPageReader,
    commit: Callable[[PageJob, PageResult], object],
    set_aside: Callable[[PageJob, Exception], object],
    pool: RenderPool,
    capacity: int,
    log: Log = log,
    total: int | None = None,
    stall_seconds: float = STALL_SECONDS,
    progress_seconds: float = PROGRESS_SECONDS,
    drain_seconds: float = DRAIN_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> PipelineCounts:
    """Read ``pages`` and commit each as soon as it is read; the counts when all are through.

    ``pages`` is consumed as there is room and may be endless; pages of one document are best given one after the
    other. ``load`` gives a document's bytes, or its file, by content hash. ``load``, ``commit`` and ``set_aside`` may
    block: the first runs in a few threads, the other two in a single one. ``commit`` must have committed when it
    returns. A document is set aside once, with the first page that failed, and its other pages are skipped.

    ``capacity`` is the most questions in flight at the engine, 1.5 times as many pages are in work. With questions in
    flight and no answer for ``stall_seconds`` the engine counts as dead. ``pool``, the engine and the cache stay the
    caller's to close.

    Raises whatever is no document's fault: EngineUnavailableError, EngineDiedError (also for a stall),
    ConfigurationError, SourceUnavailableError, OSError for a full disk, and what ``commit`` and ``set_aside`` raise
    but a ValueError of ``commit``, which is about the page. No page is admitted from then on. Those in flight get
    ``drain_seconds`` to finish (none when the engine is dead), and what is read is committed before this raises; so
    it is when the task is cancelled, without the wait.
    """
    if total is None and isinstance(pages, Sized):
        total = len(pages)
    with closing(Spool(load)) as spool:
        run = _Run(iter(pages), spool, read, commit, set_aside, pool, capacity, log, total, clock)
        with closing(run):
            return await run.through(stall_seconds, progress_seconds, drain_seconds)


class _Run:
    """The state of one run. All of it belongs to the event loop, but for ``counts.pages``: the writer's."""

    def __init__(
        self,
        jobs: Iterator[PageJob],
        spool: Spool,
        reader: HunyuanPageReader,
        commit: Callable[[PageJob, PageResult], object],
        set_aside: Callable[[PageJob, Exception], object],
        pool: RenderPool,
        capacity: int,
        log: Log,
        total: int | None,
        clock: Callable[[], float],
    ) -> None:
        self._jobs = jobs
        self._next = next(jobs, None)
        self._spool = spool
        self._reader = reader
        self._commit = commit
        self._set_aside = set_aside
        self._pool = pool
        self._admitted = math.ceil(ADMITTED_PER_SLOT * capacity)
        self._log = log
        self._total = total
        self._clock = clock
        self._asker = Asker(reader.engine, reader.cache, capacity, clock)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="hunyuan-ocr-commit")
        self._writes: set[asyncio.Future[object]] = set()
        self._failed_documents: set[str] = set()
        self._is_stopping = False
        self._pages_in_work = 0
        self._started = self._moved = clock()
        self.counts = PipelineCounts()

    def close(self) -> None:
        self._writer.shutdown(wait=False)

    async def through(self, stall_seconds: float, progress_seconds: float, drain_seconds: float) -> PipelineCounts:
        crew = [asyncio.create_task(self._work()) for _ in range(self._admitted)]
        watch = asyncio.create_task(self._watch(stall_seconds, progress_seconds))
        everyone = asyncio.gather(*crew)
        ends: set[asyncio.Future[Any]] = {everyone, watch}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            error = everyone.exception() if everyone.done() else watch.exception()
            if error is not None:
                self._is_stopping = True
                if not isinstance(error, EngineDiedError):
                    await asyncio.wait(crew, timeout=drain_seconds)
                raise error
        finally:
            self._is_stopping = True
            for task in (*crew, watch):
                task.cancel()
            await asyncio.gather(everyone, *crew, watch, return_exceptions=True)
            if self._writes:
                await asyncio.wait(self._writes, timeout=drain_seconds)
            self._tell()
        return self._totals()

    async def _work(self) -> None:
        """One place in the pipeline: page after page until there are no more."""
        while (job := self._take()) is not None:
            self._pages_in_work += 1
            try:
                await self._page(job)
            finally:
                self._pages_in_work -= 1
                self._moved = self._clock()
                self._spool.release(job.content_sha256, self._next.content_sha256 if self._next else None)

    def _take(self) -> PageJob | None:
        while not self._is_stopping and (job := self._next) is not None:
            self._next = next(self._jobs, None)
            if job.content_sha256 not in self._failed_documents:
                return job
            self.counts.skipped += 1
        return None

    async def _page(self, job: PageJob) -> None:
        try:
            path = await self._spool.open(job.content_sha256)
            document = DocumentFile(path, job.media_type, job.content_sha256, job.file_name)
            result = await self._reader.read(
                job.page_no, partial(self._pool.picture, document, job.page_no), asker=self._asker
            )
        except DocumentError as error:
            # An engine that refuses a page does not know whose it is.
            error.document = error.document or job.file_name
            error.page_no = error.page_no or job.page_no
            await self._put_aside(job, error)
        except (HunyuanOCRError, OSError, MemoryError):
            # No page has an OSError or MemoryError of its own: what files do to decoders comes as a DocumentError.
            raise
        except Exception as error:
            await self._put_aside(job, error)
        else:
            self.counts.retried += max((answer.attempt for answer in result.answers), default=1) - 1
            try:
                await self._write(self._committed, job, result)
            except ValueError as error:
                await self._put_aside(job, error)

    def _committed(self, job: PageJob, result: PageResult) -> None:
        self._commit(job, result)
        self.counts.pages += 1

    async def _put_aside(self, job: PageJob, error: Exception) -> None:
        self.counts.skipped += 1
        if job.content_sha256 not in self._failed_documents:
            self._failed_documents.add(job.content_sha256)
            self.counts.set_aside += 1
            await self._write(self._set_aside, job, error)

    async def _write(self, write: Callable[..., object], job: PageJob, what: object) -> None:
        """In the writer's thread. Once begun it is done, whatever becomes of the page's task."""
        written = asyncio.get_running_loop().run_in_executor(self._writer, write, job, what)
        self._writes.add(written)
        written.add_done_callback(self._writes.discard)
        await asyncio.shield(written)

    async def _watch(self, stall_seconds: float, progress_seconds: float) -> None:
        told = self._clock()
        while True:
            await asyncio.sleep(min(progress_seconds, stall_seconds / 4))
            now = self._clock()
            if now - told >= progress_seconds:
                told = now
                self._tell()
            traffic = self._asker.traffic
            if now - max(self._moved, traffic.changed_at) < stall_seconds:
                continue
            if traffic.in_flight:
                raise EngineDiedError(
                    f"The engine {self._reader.engine.key} has answered none of {traffic.in_flight} questions for "
                    f"{stall_seconds:g} seconds. It is started anew at the next try; the pages read so far are kept."
                )
            if self._spool.loading:
                raise SourceUnavailableError(
                    f"The archive has given none of the documents asked of it for {stall_seconds:g} seconds."
                )

    def _totals(self) -> PipelineCounts:
        traffic, counts = self._asker.traffic, self.counts
        counts.asked, counts.cached, counts.unfinished = traffic.asked, traffic.cached, traffic.unfinished
        counts.prompt_tokens, counts.completion_tokens = traffic.prompt_tokens, traffic.completion_tokens
        counts.seconds = self._clock() - self._started
        return counts

    def _tell(self) -> None:
        """One line that says how the run goes; never anything of what stands on a page."""
        counts, traffic = self._totals(), self._asker.traffic
        of_all = f" of {self._total}" if self._total is not None else ""
        stats = getattr(self._reader.engine, "stats", None)
        with suppress(Exception):  # a logger that fails ends no run
            self._log.info(
                "%d%s pages, %.2f a second; %d pages in work, %d questions in flight; tokens %d in, %d out; "
                "%d pictures tried again, %d requests sent again, %d cache hits, %d answers unfinished, "
                "%d documents set aside",
                counts.pages,
                of_all,
                counts.pages / max(counts.seconds, 1e-9),
                self._pages_in_work,
                traffic.in_flight,
                counts.prompt_tokens,
                counts.completion_tokens,
                counts.retried,
                sum(stats.retries.values()) if isinstance(stats, EngineStats) else 0,
                counts.cached,
                counts.unfinished,
                counts.set_aside,
            )

"""Documents on a shelf and a pipeline run over them, for the tests of the pipeline."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

from hunyuan_ocr.extraction.examiner import PageExaminer
from hunyuan_ocr.extraction.pipeline import PageJob, PipelineCounts, run_pipeline
from hunyuan_ocr.extraction.spool import PREFIX
from hunyuan_ocr.readers.hunyuan import HunyuanPageReader, PageResult
from hunyuan_ocr.readers.pages import PDF_MEDIA_TYPE
from hunyuan_ocr.readers.rendering import RenderPool
from tests.readers.paper import pdf_of, texts
from tests.readers.scripted import ScriptedEngine, ScriptedExaminer

SMALL = 100_000


class Shelf:
    """Documents by content hash, and what became of them."""

    def __init__(self) -> None:
        self.documents: dict[str, tuple[bytes, str, str, int]] = {}
        self.loaded: list[str] = []
        self.committed: list[tuple[str, int]] = []
        self.results: list[PageResult] = []
        self.set_aside: dict[str, Exception] = {}
        self.writers: set[int] = set()

    def put(self, name: str, raw: bytes, pages: int = 1, media_type: str = PDF_MEDIA_TYPE) -> str:
        sha256 = hashlib.sha256(raw).hexdigest()
        self.documents[sha256] = (raw, media_type, name, pages)
        return sha256

    def put_pdf(self, name: str, pages: int = 1) -> str:
        drawings = [texts((50, 100, f"{name}, page {number}")) for number in range(1, pages + 1)]
        return self.put(f"{name}.pdf", pdf_of(*drawings, size=(200, 200)), pages)

    def jobs(self) -> list[PageJob]:
        return [
            PageJob(sha256, page_no, media_type, name)
            for sha256, (_, media_type, name, pages) in self.documents.items()
            for page_no in range(1, pages + 1)
        ]

    def load(self, sha256: str) -> bytes:
        self.loaded.append(sha256)
        return self.documents[sha256][0]

    def commit(self, job: PageJob, result: PageResult) -> None:
        self.writers.add(threading.get_ident())
        assert result.reading.page_no == job.page_no
        self.committed.append((job.content_sha256, job.page_no))
        self.results.append(result)

    def reject(self, job: PageJob, error: Exception) -> None:
        self.writers.add(threading.get_ident())
        assert job.content_sha256 not in self.set_aside
        self.set_aside[job.content_sha256] = error

    @property
    def reasons(self) -> dict[str, type[Exception]]:
        return {self.documents[sha256][2]: type(error) for sha256, error in self.set_aside.items()}


def reader_of(engine: ScriptedEngine, examiner: ScriptedExaminer | PageExaminer | None = None, **settings):
    return HunyuanPageReader(
        engine, examiner or ScriptedExaminer(), pixels=(SMALL, 2 * SMALL), dpi=(200, 300), **settings
    )


def run(
    shelf: Shelf,
    engine: ScriptedEngine,
    jobs: Iterable[PageJob] | None = None,
    *,
    reader: HunyuanPageReader | None = None,
    timeout: float = 30.0,
    processes: int = 1,
    **settings,
) -> PipelineCounts:
    settings = {"load": shelf.load, "commit": shelf.commit, "set_aside": shelf.reject} | settings

    async def through() -> PipelineCounts:
        async with RenderPool(processes, timeout) as pool:
            try:
                return await run_pipeline(
                    shelf.jobs() if jobs is None else jobs,
                    read=reader or reader_of(engine),
                    pool=pool,
                    capacity=engine.capacity,
                    **settings,
                )
            finally:
                assert len(asyncio.all_tasks()) == 1

    counts = asyncio.run(through())
    assert not leftovers()
    return counts


def leftovers() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


def text_of(picture, prompt) -> str:
    return "text of a page"

"""One run of ``kills``: reads what is not committed yet, until it is done or killed.

Every question is noted in a file the moment it is asked, so that whoever killed the process can count what was lost.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.parts import PROMPT, OneQuestion, QuietLog, WaitingEngine, refuse, sha256_of, skewed_latencies
from hunyuan_ocr.engines.base import Picture
from hunyuan_ocr.extraction.pipeline import PageJob, run_pipeline
from hunyuan_ocr.readers.hunyuan import HunyuanPageReader, PageResult
from hunyuan_ocr.readers.rendering import DocumentFile, RenderPool
from hunyuan_ocr.staging.repository import Store

PATTERNS = ("pipeline", "groups", "one batch")
IN_FLIGHT = 16
GROUP = 100
READING_KEY = "waiting"
_LATENCY = 0.25


def main(pattern: str, folder: Path, pages: int) -> None:
    documents = {sha256_of(content): content for content in _numbered_pages(pages)}
    asked = os.open(folder / "asked", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(picture: Picture) -> None:
        os.write(asked, f"{picture.sha256}\n".encode())

    latencies = skewed_latencies(pages, _LATENCY, seed=os.getpid())
    engine = WaitingEngine(IN_FLIGHT, lambda number: latencies[number % pages], note)
    if pattern == "pipeline":
        asyncio.run(_piped(folder, documents, engine))
    else:
        asyncio.run(_grouped(folder, documents, engine, GROUP if pattern == "groups" else pages))
    (folder / "done").touch()


def committed(pattern: str, folder: Path) -> int:
    """How many pages survive a kill."""
    if pattern == "pipeline":
        return len(committed_pages(folder))
    return sum(int(flag.read_text()) for flag in folder.glob("group-*"))


def committed_pages(folder: Path) -> list[tuple[str, int]]:
    """What the journal holds, one entry a row."""
    import sqlite3

    if not (folder / "journal.db").is_file():
        return []
    with sqlite3.connect(f"file:{folder / 'journal.db'}?mode=ro", uri=True) as connection:
        return connection.execute("select content_sha256, page_no from page_reading").fetchall()


def _numbered_pages(count: int) -> Iterator[bytes]:
    """Small pages that differ, the same in every run, so that a picture's hash tells the page."""
    from reportlab.pdfgen.canvas import Canvas

    for number in range(count):
        written = io.BytesIO()
        canvas = Canvas(written, pagesize=(100, 60), invariant=1)
        canvas.drawString(10, 30, f"No. {number:06}")
        canvas.save()
        yield written.getvalue()


async def _piped(folder: Path, documents: dict[str, bytes], engine: WaitingEngine) -> None:
    store = Store.open(f"sqlite:///{folder / 'journal.db'}")

    def commit(job: PageJob, result: PageResult) -> None:
        store.record_page(job.content_sha256, READING_KEY, result.reading, result.answers)

    async with RenderPool(processes=1) as pool:
        await run_pipeline(
            [
                PageJob(sha256, 1, "application/pdf")
                for sha256 in documents
                if not store.readings_of(sha256, [READING_KEY])
            ],
            load=documents.__getitem__,
            read=HunyuanPageReader(engine, OneQuestion()),
            commit=commit,
            set_aside=refuse,
            pool=pool,
            capacity=IN_FLIGHT,
            log=QuietLog(),
        )


async def _grouped(folder: Path, documents: dict[str, bytes], engine: WaitingEngine, size: int) -> None:
    """A group of pages counts when all of it is done: the flag olmOCR sets, the file ``vllm run-batch`` writes."""
    names = list(documents)
    slots = asyncio.Semaphore(IN_FLIGHT)
    async with RenderPool(processes=1) as pool:

        async def one(sha256: str) -> None:
            path = folder / f"{sha256}.pdf"
            path.write_bytes(documents[sha256])
            async with slots:
                await engine.ask(await pool.picture(DocumentFile(path, "application/pdf", sha256), 1), PROMPT)

        async def group(start: int) -> None:
            flag = folder / f"group-{start}"
            if not flag.exists():
                await asyncio.gather(*(one(sha256) for sha256 in names[start : start + size]))
                flag.write_text(str(len(names[start : start + size])))

        await asyncio.gather(*(group(start) for start in range(0, len(names), size)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))

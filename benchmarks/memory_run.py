"""One run of ``memory``, in a process of its own, since the most memory a process ever had is never forgotten."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.documents import small_page
from benchmarks.parts import PROMPT, JsonLines, OneQuestion, QuietLog, WaitingEngine, refuse
from hunyuan_ocr.extraction.pipeline import PageJob, run_pipeline
from hunyuan_ocr.readers.hunyuan import HunyuanPageReader
from hunyuan_ocr.readers.rendering import DocumentFile, RenderPool

IN_FLIGHT = 16
_EVERY = 0.25


def main(kind: str, documents: int, folder: Path) -> None:
    peak = _PeakOfDescendants()
    with asyncio.Runner() as runner:
        lines = JsonLines(folder / "lines.jsonl")
        work = _through_the_pipeline if kind == "pipeline" else _all_at_once
        runner.run(work(documents, small_page(), lines, folder))
        lines.close()
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"own": own, "descendants": peak.stop()}))


def _names(documents: int) -> Iterator[str]:
    return (f"{number:064x}" for number in range(documents))


async def _through_the_pipeline(documents: int, content: bytes, lines: JsonLines, folder: Path) -> None:
    async with RenderPool(processes=2) as pool:
        await run_pipeline(
            (PageJob(name, 1, "application/pdf", f"{name[-8:]}.pdf") for name in _names(documents)),
            load=lambda sha256: content,
            read=HunyuanPageReader(WaitingEngine(IN_FLIGHT, lambda number: 0.0), OneQuestion()),
            commit=lines.commit,
            set_aside=refuse,
            pool=pool,
            capacity=IN_FLIGHT,
            log=QuietLog(),
        )


async def _all_at_once(documents: int, content: bytes, lines: JsonLines, folder: Path) -> None:
    """A task a page and one ``gather``: drawn before a slot is free, kept until all are done, written at the end."""
    engine, slots = WaitingEngine(IN_FLIGHT, lambda number: 0.0), asyncio.Semaphore(IN_FLIGHT)
    path = folder / "page.pdf"
    path.write_bytes(content)
    async with RenderPool(processes=2) as pool:

        async def one(name: str) -> tuple[str, str]:
            picture = await pool.picture(DocumentFile(path, "application/pdf", name), 1)
            async with slots:
                return name, (await engine.ask(picture, PROMPT)).text

        for name, text in await asyncio.gather(*(one(name) for name in _names(documents))):
            lines.write(name, 1, [text])


class _PeakOfDescendants:
    """The most memory all descendants together had, looked at every quarter second."""

    def __init__(self) -> None:
        self._most = 0
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> int:
        self._is_done.set()
        self._thread.join()
        return self._most

    def _look(self) -> None:
        own = psutil.Process()
        while not self._is_done.wait(_EVERY):
            total = 0
            for child in own.children(recursive=True):
                try:
                    total += child.memory_info().rss
                except psutil.Error:
                    continue
            self._most = max(self._most, total)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))

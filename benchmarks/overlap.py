"""B3: how well drawing and answering overlap when both take about as long, with answers that differ wildly.

The ideal is computed from how long drawing alone took and from the very times of the answers: each page goes to the
first free slot as soon as it is drawn. Beside it the two patterns others use: everything drawn first, and batches that
wait for their slowest page.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.documents import stored, two_page_invoice
from benchmarks.measuring import Report, Setting, at_most, kept, ratios, take_turns
from benchmarks.parts import PROMPT, JsonLines, WaitingEngine, shortest_run, skewed_latencies, through_pipeline
from hunyuan_ocr.engines.base import Picture
from hunyuan_ocr.extraction.pipeline import ADMITTED_PER_SLOT, PageJob
from hunyuan_ocr.readers.rendering import DocumentFile, RenderPool

TITLE = "B3 overlap of drawing and answering: log-normal answers, 1 % take 20 times as long"
_SLOTS = 16
_STRAGGLERS = 0.01
#: As many as the OCR task starts: one processor is left to the pipeline.
_PROCESSES = max(1, (os.cpu_count() or 2) - 1)


def run(setting: Setting) -> Report:
    report = Report("overlap", TITLE)
    folder = setting.folder / "overlap"
    folder.mkdir()
    files = [stored(folder, two_page_invoice(number)) for number in range(setting.pick(300, 80))]
    pages = [(file, page_no) for file in files for page_no in (1, 2)]
    with asyncio.Runner() as runner:
        pool = RenderPool(processes=_PROCESSES)
        try:
            runner.run(_draw_all(pool, pages[:20]))
            started = time.perf_counter()
            runner.run(_draw_all(pool, pages))
            drawing = time.perf_counter() - started
            # Answering takes as long as drawing: the hardest case for an overlap.
            latencies = skewed_latencies(len(pages), 1.0, stragglers=_STRAGGLERS)
            scale = drawing / shortest_run(latencies, _SLOTS)
            latencies = [seconds * scale for seconds in latencies]
            answering = shortest_run(latencies, _SLOTS)
            setting.say(f"drawing {drawing:.1f} s, answering {answering:.1f} s")
            taken = take_turns(
                {
                    "drawing": lambda: runner.run(_draw_all(pool, pages)),
                    "pipeline": partial(_piped, runner, pool, pages, latencies, folder),
                },
                setting.repeats,
                warm_up=False,
            )
            # What others do takes minutes and is only told.
            others = take_turns(
                {
                    "drawing for the others": lambda: runner.run(_draw_all(pool, pages)),
                    "batches": lambda: runner.run(_in_batches(pool, pages, latencies)),
                    "drawn first": lambda: runner.run(_drawn_first(pool, pages, latencies)),
                },
                1,
                warm_up=False,
            )
        finally:
            runner.run(pool.close())
    wall = {name: [sample.wall for sample in samples] for name, samples in (taken | others).items()}
    report.tell(f"drawing alone, processes: {_PROCESSES}", wall["drawing"], "s")
    report.tell(f"answering alone, {_SLOTS} slots (computed)", answering, "s")
    report.tell("pipeline / the slower of the two", _over_slower(wall["pipeline"], wall["drawing"], answering))
    report.tell("pipeline / ideal", _over_ideal(wall["pipeline"], wall["drawing"], latencies), "", at_most(1.10))
    apart = wall["drawing for the others"]
    report.tell("batches that wait for their slowest page / ideal", _over_ideal(wall["batches"], apart, latencies))
    report.tell("everything drawn first / ideal", _over_ideal(wall["drawn first"], apart, latencies))
    report.samples = kept(taken | others)
    report.notes.append(
        f"{len(pages)} pages. Answering is made as long as drawing was before the first round; drawing is measured "
        "again in each round, so a neighbour who takes the processor meets both sides of the ratio. Ideal: every page "
        "drawn at that pace and given to the first free slot, with no bound on pictures in memory. It is longer than "
        "the slower of the two because a page drawn late can be a slow one."
    )
    return report


def _over_slower(ours: Sequence[float], drawing: Sequence[float], answering: float) -> list[float]:
    return ratios(ours, [max(seconds, answering) for seconds in drawing])


def _over_ideal(ours: Sequence[float], drawing: Sequence[float], latencies: Sequence[float]) -> list[float]:
    return ratios(ours, [shortest_run(latencies, _SLOTS, seconds / len(latencies)) for seconds in drawing])


async def _draw_all(pool: RenderPool, pages: Sequence[tuple[DocumentFile, int]]) -> Mapping[str, float]:
    """Drawn as fast as the processes can: as many pages are wanted at once as the pipeline wants, nothing is kept."""
    places = asyncio.Semaphore(math.ceil(ADMITTED_PER_SLOT * _SLOTS))

    async def one(file: DocumentFile, page_no: int) -> None:
        async with places:
            await pool.picture(file, page_no, max_pixels=2_200_000, max_dpi=200)

    await asyncio.gather(*(one(file, page_no) for file, page_no in pages))
    return {}


def _piped(
    runner: asyncio.Runner,
    pool: RenderPool,
    pages: Sequence[tuple[DocumentFile, int]],
    latencies: Sequence[float],
    folder: Path,
) -> Mapping[str, float]:
    paths = {file.sha256: file.path for file, _ in pages}
    jobs = [PageJob(file.sha256, page_no, file.media_type) for file, page_no in pages]
    lines = JsonLines(folder / "lines.jsonl")
    engine = WaitingEngine(_SLOTS, latencies.__getitem__)
    counts = runner.run(through_pipeline(jobs, paths.__getitem__, engine, lines.commit, pool))
    lines.close()
    return {"pages": counts.pages, "most_in_flight": engine.most_in_flight}


async def _in_batches(
    pool: RenderPool, pages: Sequence[tuple[DocumentFile, int]], latencies: Sequence[float]
) -> Mapping[str, float]:
    engine = WaitingEngine(_SLOTS, latencies.__getitem__)
    for start in range(0, len(pages), _SLOTS):
        pictures = await asyncio.gather(
            *(
                pool.picture(file, page_no, max_pixels=2_200_000, max_dpi=200)
                for file, page_no in pages[start : start + _SLOTS]
            )
        )
        await asyncio.gather(*(engine.ask(picture, PROMPT) for picture in pictures))
    return {}


async def _drawn_first(
    pool: RenderPool, pages: Sequence[tuple[DocumentFile, int]], latencies: Sequence[float]
) -> Mapping[str, float]:
    engine = WaitingEngine(_SLOTS, latencies.__getitem__)
    pictures = [pool.picture(file, page_no, max_pixels=2_200_000, max_dpi=200) for file, page_no in pages]
    drawn = await asyncio.gather(*pictures)
    slots = asyncio.Semaphore(_SLOTS)

    async def one(picture: Picture) -> None:
        async with slots:
            await engine.ask(picture, PROMPT)

    await asyncio.gather(*(one(picture) for picture in drawn))
    return {}

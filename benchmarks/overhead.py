"""B1: what the pipeline costs beside drawing, with a model that answers at once, against a bare loop.

The bare loop reads a file, hashes it, draws each page, encodes it and writes a line: what nobody can leave out. The
pipeline does the same with its queues, its drawing processes, its content keys, its parsing of an answer and its record
of each question; once with lines as the bare loop writes them, once with the real journal in SQLite.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.documents import stored, two_page_invoice
from benchmarks.measuring import Report, Setting, at_most, kept, ratios, take_turns
from benchmarks.parts import ANSWER, JsonLines, WaitingEngine, through_pipeline
from hunyuan_ocr.extraction.pipeline import PageJob
from hunyuan_ocr.readers.hunyuan import PageResult
from hunyuan_ocr.readers.render_worker import JPEG_QUALITY
from hunyuan_ocr.readers.rendering import DocumentFile, RenderPool

TITLE = "B1 overhead of the pipeline: an engine that answers at once, against a bare loop"
_MAX_PIXELS = 2_200_000
_MAX_DPI = 200
_IN_FLIGHT = 32


def run(setting: Setting) -> Report:
    from hunyuan_ocr.staging.repository import Store

    report = Report("overhead", TITLE)
    folder = setting.folder / "overhead"
    folder.mkdir()
    files = [stored(folder, two_page_invoice(number)) for number in range(setting.pick(150, 30))]
    paths = {file.sha256: file.path for file in files}
    jobs = [PageJob(file.sha256, page_no, file.media_type) for file in files for page_no in (1, 2)]
    turns = count()
    # Made beforehand: a schema is made once, not once a run.
    stores = iter([Store.open(f"sqlite:///{folder / f'journal-{turn}.db'}") for turn in range(setting.repeats + 1)])
    with asyncio.Runner() as runner:
        pool = RenderPool(processes=1)

        def piped(commit: Callable[[PageJob, PageResult], object]) -> Mapping[str, float]:
            engine, before = WaitingEngine(_IN_FLIGHT, lambda number: 0.0), time.process_time()
            counts = runner.run(through_pipeline(jobs, paths.__getitem__, engine, commit, pool, _MAX_PIXELS))
            return {"pages": counts.pages, "beside": time.process_time() - before}

        def with_lines() -> Mapping[str, float]:
            lines = JsonLines(folder / f"piped-{next(turns)}.jsonl")
            try:
                return piped(lines.commit)
            finally:
                lines.close()

        def with_journal() -> Mapping[str, float]:
            store = next(stores)

            def commit(job: PageJob, result: PageResult) -> None:
                store.record_page(job.content_sha256, "waiting", result.reading, result.answers)

            return piped(commit)

        try:
            taken = take_turns(
                {
                    "bare": partial(_bare, files, folder, turns),
                    "lines": with_lines,
                    "journal": with_journal,
                },
                setting.repeats,
            )
        finally:
            runner.run(pool.close())
    cpu = {name: [sample.cpu for sample in samples] for name, samples in taken.items()}
    report.tell("bare loop", [1000 * seconds / len(files) for seconds in cpu["bare"]], "CPU ms/document")
    report.tell("pipeline, lines", [1000 * seconds / len(files) for seconds in cpu["lines"]], "CPU ms/document")
    report.tell("pipeline, journal", [1000 * seconds / len(files) for seconds in cpu["journal"]], "CPU ms/document")
    report.tell("processor time, pipeline with lines / bare loop", ratios(cpu["lines"], cpu["bare"]), "", at_most(1.25))
    report.tell(
        "processor time, pipeline with journal / bare loop", ratios(cpu["journal"], cpu["bare"]), "", at_most(1.25)
    )
    for name, goal in (("lines", at_most(3.0)), ("journal", None)):
        beside = [1000 * sample.facts["beside"] / len(files) for sample in taken[name]]
        report.tell(f"beside drawing, pipeline with {name}", beside, "CPU ms/document", goal)
    report.samples = kept(taken)
    report.notes.append(
        f"{len(files)} documents of a printed and a scanned page, {_MAX_PIXELS / 1e6:g} MP. Processor seconds of all "
        "processes; 'beside drawing' is that of the process that does not draw."
    )
    return report


def _bare(files: Sequence[DocumentFile], folder: Path, turns: count[int]) -> Mapping[str, float]:
    import pypdfium2

    lines = JsonLines(folder / f"bare-{next(turns)}.jsonl")
    for file in files:
        raw = file.path.read_bytes()
        sha256 = hashlib.sha256(raw).hexdigest()
        pdf = pypdfium2.PdfDocument(raw)
        for page_no, page in enumerate(pdf, start=1):
            width, height = page.get_size()
            scale = min(_MAX_DPI / 72, math.sqrt(_MAX_PIXELS / (width * height)))
            image = page.render(scale=scale, rev_byteorder=True).to_pil().convert("RGB")
            image.save(io.BytesIO(), "JPEG", quality=JPEG_QUALITY)
            lines.write(sha256, page_no, [ANSWER])
        pdf.close()
    lines.close()
    return {"pages": 2 * len(files)}

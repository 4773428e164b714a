"""B4: pages drawn and encoded a second, in processes of their own, against the same calls in a bare loop.

The price of the processes (starting apart, pipes, hashing, a limit on each page) must be small, and two must do nearly
twice the work of one. PNG stands beside JPEG to show why pages are not sent as PNG.
"""

from __future__ import annotations

import asyncio
import io
import math
from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks.documents import joined, printed_pages, scanned_pages, stored
from benchmarks.measuring import Report, Setting, at_least, kept, ratios, take_turns
from hunyuan_ocr.readers.render_worker import JPEG_QUALITY
from hunyuan_ocr.readers.rendering import DocumentFile, RenderPool

TITLE = "B4 drawing pages: processes of our own against a bare pypdfium2 and Pillow loop"
_MAX_DPI = 200
_SIZES = (1_200_000, 2_200_000, 3_900_000)
_DEFAULT_SIZE = 2_200_000


def run(setting: Setting) -> Report:
    report = Report("render", TITLE)
    copies = setting.pick(6, 2)
    kinds = {
        "printed": _files(setting, printed_pages() * copies),
        "scanned": _files(setting, scanned_pages() * copies),
    }
    pages = len(kinds["printed"]) * len(printed_pages()) * copies
    for kind, files in kinds.items():
        for size in _SIZES if kind == "printed" else (_DEFAULT_SIZE,):
            _compare(report, setting, f"{kind}, {size / 1e6:.1f} MP", files, size, pages)
    for kind, files in kinds.items():
        _compare_formats(report, setting, kind, files, pages)
    report.notes.append(
        f"{pages} pages a turn, in {len(kinds['printed'])} documents; the processes are started before the clock. "
        "The share of a core is by processor seconds of parent and children, so busy neighbours do not change it; "
        "one process against two is by the clock and needs two free cores."
    )
    return report


def _files(setting: Setting, pages: list[bytes]) -> list[DocumentFile]:
    folder = setting.folder / "render"
    folder.mkdir(exist_ok=True)
    return [stored(folder, joined(pages) + b"\n%% copy %d\n" % copy) for copy in range(2)]


def _compare(report: Report, setting: Setting, what: str, files: Sequence[DocumentFile], size: int, pages: int) -> None:
    with asyncio.Runner() as runner:
        pools = {count: RenderPool(processes=count) for count in (1, 2)}
        try:
            taken = take_turns(
                {
                    "bare": partial(_bare, files, size, "JPEG"),
                    "one": lambda: runner.run(_through(pools[1], files, size)),
                    "two": lambda: runner.run(_through(pools[2], files, size)),
                },
                setting.repeats,
            )
        finally:
            for pool in pools.values():
                runner.run(pool.close())
    by_cpu = {name: [sample.cpu for sample in samples] for name, samples in taken.items()}
    by_wall = {name: [sample.wall for sample in samples] for name, samples in taken.items()}
    report.tell(f"{what}: bare loop", [pages / seconds for seconds in by_wall["bare"]], "pages/s")
    report.tell(f"{what}: two processes", [pages / seconds for seconds in by_wall["two"]], "pages/s")
    report.tell(
        f"{what}: pages a core second, processes / bare", ratios(by_cpu["bare"], by_cpu["one"]), "", at_least(0.9)
    )
    report.tell(f"{what}: two processes / one", ratios(by_wall["one"], by_wall["two"]), "", at_least(1.8))
    report.samples |= {f"{what}: {name}": samples for name, samples in kept(taken).items()}


def _compare_formats(report: Report, setting: Setting, kind: str, files: Sequence[DocumentFile], pages: int) -> None:
    taken = take_turns(
        {name: partial(_bare, files[:1], _DEFAULT_SIZE, name) for name in ("JPEG", "PNG")}, max(2, setting.repeats // 2)
    )
    for name, samples in taken.items():
        what = f"{kind}, {_DEFAULT_SIZE / 1e6:.1f} MP: drawn and encoded as {name}, bare loop"
        report.tell(what, [1000 * sample.cpu / (pages / len(files)) for sample in samples], "ms/page")
    report.samples |= {f"{kind} as {name}": samples for name, samples in kept(taken).items()}


def _bare(files: Sequence[DocumentFile], max_pixels: int, picture_format: str) -> Mapping[str, float]:
    import pypdfium2

    written = 0
    for file in files:
        pdf = pypdfium2.PdfDocument(file.path)
        for page in pdf:
            width, height = page.get_size()
            scale = min(_MAX_DPI / 72, math.sqrt(max_pixels / (width * height)))
            target = io.BytesIO()
            image = page.render(scale=scale, rev_byteorder=True).to_pil().convert("RGB")
            image.save(target, picture_format, **({"quality": JPEG_QUALITY} if picture_format == "JPEG" else {}))
            written += target.tell()
        pdf.close()
    return {"bytes": written}


async def _through(pool: RenderPool, files: Sequence[DocumentFile], max_pixels: int) -> Mapping[str, float]:
    """Page after page, as the pipeline asks for them: always more are wanted than are being drawn."""
    import pypdfium2

    pages = iter([(file, page_no) for file in files for page_no in range(1, len(pypdfium2.PdfDocument(file.path)) + 1)])
    written = 0

    async def asker() -> None:
        nonlocal written
        for file, page_no in pages:
            picture = await pool.picture(file, page_no, max_pixels=max_pixels, max_dpi=_MAX_DPI)
            written += len(picture.data)

    async with asyncio.TaskGroup() as group:
        for _ in range(2 * pool.processes):
            group.create_task(asker())
    return {"bytes": written}

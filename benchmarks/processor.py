"""B11: how many pages a second one API process of vLLM can prepare for the model, whatever the GPU.

vLLM runs the image processor in one thread per API process. It needs no weights, so its ceiling can be measured here:
the ``transformers`` processor of HunyuanOCR on drawn pages, one thread. Beside it decoding the JPEG, which vLLM does in
another pool of threads.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from benchmarks.measuring import Report, Setting, kept, take_turns

TITLE = "B11 ceiling of the model's image processor, one thread"
_SIZES = (1_200_000, 2_200_000, 3_900_000)
_MAX_PIXELS = 16_777_216
_A4 = 2**0.5


def run(setting: Setting) -> Report:
    report = Report("processor", TITLE)
    for package in ("torch", "torchvision", "transformers"):
        if find_spec(package) is None:
            report.skipped = f"{package} is not installed here; run it with the Python of the vLLM environment"
            return report
    import torch
    import transformers
    from transformers.models.hunyuan_vl.image_processing_hunyuan_vl import HunYuanVLImageProcessor

    torch.set_num_threads(1)
    processor = HunYuanVLImageProcessor(size={"shortest_edge": 262_144, "longest_edge": _MAX_PIXELS})
    pages = setting.pick(12, 4)
    for size in _SIZES:
        files = [_jpeg(size, number) for number in range(pages)]
        taken = take_turns(
            {"prepared": partial(_prepare, processor, files), "decoded": partial(_decode, files)}, setting.repeats
        )
        # Preparing begins with decoding here; vLLM decodes elsewhere.
        alone = [
            1000 * (prepared.cpu - decoded.cpu) / pages
            for prepared, decoded in zip(taken["prepared"], taken["decoded"], strict=True)
        ]
        what = f"{size / 1e6:.1f} MP"
        report.tell(f"{what}: processor", alone, "CPU ms/page")
        report.tell(f"{what}: pages a second and API process at most", [1000 / cost for cost in alone], "1/s")
        report.tell(
            f"{what}: decoding the JPEG", [1000 * sample.cpu / pages for sample in taken["decoded"]], "CPU ms/page"
        )
        megabytes = [sample.facts["values"] * 4 / 1e6 / pages for sample in taken["prepared"]]
        report.tell(f"{what}: pixel values a page waiting in the server", megabytes, "MB")
        report.samples |= {f"{what}: {name}": samples for name, samples in kept(taken).items()}
    report.notes.append(
        f"transformers {transformers.__version__}, torch {torch.__version__}. A GPU that is faster than this waits "
        "for the API process: give vllm serve more of them (--api-server-count)."
    )
    return report


def _jpeg(pixels: int, number: int) -> bytes:
    """A page in A4's shape, with lines of text and a scanner's noise."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    width = round((pixels / _A4) ** 0.5)
    height = round(width * _A4)
    noise = np.random.default_rng(number).normal(240, 5, (height, width)).clip(0, 255).astype("uint8")
    page = Image.fromarray(noise).convert("RGB")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(height // 70)
    for line in range(50):
        pen.text(
            (width // 12, height * (line + 5) // 60),
            f"{line:03} Lieferung und Leistung {number} 1.234,50",
            "black",
            font,
        )
    written = io.BytesIO()
    page.save(written, "JPEG", quality=90)
    return written.getvalue()


def _decode(files: Sequence[bytes]) -> Mapping[str, float]:
    from PIL import Image

    return {"pixels": sum(len(Image.open(io.BytesIO(file)).convert("RGB").tobytes()) for file in files) / 3}


def _prepare(processor: Any, files: Sequence[bytes]) -> Mapping[str, float]:
    from PIL import Image

    values = 0
    for file in files:
        picture = Image.open(io.BytesIO(file)).convert("RGB")
        values += processor(images=[picture], return_tensors="pt")["pixel_values"].numel()
    return {"values": values}

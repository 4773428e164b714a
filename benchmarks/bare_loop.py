"""Drawing and encoding as nobody can do with less: pypdfium2 and Pillow in a loop."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

from hunyuan_ocr.readers.render_worker import JPEG_QUALITY

MAX_DPI = 200


def draw_all(paths: Sequence[Path], max_pixels: int, picture_format: str) -> int:
    """Every page of every file, as large as ``max_pixels`` allows; how many bytes they have."""
    import pypdfium2

    written = 0
    for path in paths:
        pdf = pypdfium2.PdfDocument(path)
        for page in pdf:
            width, height = page.get_size()
            scale = min(MAX_DPI / 72, math.sqrt(max_pixels / (width * height)))
            target = io.BytesIO()
            image = page.render(scale=scale, rev_byteorder=True).to_pil().convert("RGB")
            image.save(target, picture_format, **({"quality": JPEG_QUALITY} if picture_format == "JPEG" else {}))
            written += target.tell()
        pdf.close()
    return written

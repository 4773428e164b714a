"""What paper, scanners and telephones do to an invoice: born-digital pages in, worn page pictures out.

Everything random comes from the seed, and the wear stays where a careful person still reads every digit.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from random import Random

import numpy as np
from PIL import Image, ImageFilter

_EXIF_ORIENTATION = 0x0112


def page_images(pdf: bytes, dpi: int) -> list[Image.Image]:
    """Every page of ``pdf`` as a picture at ``dpi``."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf)
    try:
        return [page.render(scale=dpi / 72).to_pil().convert("RGB") for page in document]
    finally:
        document.close()


def scanned(rng: Random, page: Image.Image) -> Image.Image:
    """The page as an office scanner sees it: grey, skewed up to 1.5 degrees, soft and noisy, sometimes folded."""
    paper = rng.randint(236, 252)
    grey = page.convert("L").rotate(rng.uniform(-1.5, 1.5), Image.Resampling.BICUBIC, fillcolor=255)
    grey = grey.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.75)))
    ink = rng.uniform(4, 45)
    pixels = np.asarray(grey, dtype=np.float32) * ((paper - ink) / 255) + ink
    if rng.random() < 0.4:
        pixels -= _fold(rng, grey.height)[:, None]
    pixels += _noise(rng, pixels.shape, rng.uniform(3, 7))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _fold(rng: Random, height: int) -> np.ndarray:
    """The grey line a letter folded in three leaves on a scan: how much darker each row of pixels is."""
    rows = np.arange(height, dtype=np.float32)
    crease = height * rng.choice((0.335, 0.66)) + rng.uniform(-20, 20)
    depth: np.ndarray = rng.uniform(18, 40) * np.exp(-(((rows - crease) / rng.uniform(2, 5)) ** 2))
    return depth


def photographed(rng: Random, page: Image.Image) -> Image.Image:
    """The page as a telephone sees it on a table: perspective, light from one side, a little blur."""
    width, height = page.size
    margin_x, margin_y = int(width * 0.07), int(height * 0.07)
    table = Image.new(
        "RGB", (width + 2 * margin_x, height + 2 * margin_y), rng.choice(("#6b5a48", "#4d5057", "#8a8378"))
    )
    table.paste(page, (margin_x, margin_y))
    table = table.rotate(rng.uniform(-2.5, 2.5), Image.Resampling.BICUBIC, fillcolor=table.getpixel((2, 2)))
    w, h = table.size

    def jitter(share: float) -> float:
        return rng.uniform(0, share)

    # QUAD takes, for each corner of the result, the corner of the source it shows.
    corners = (
        jitter(0.045) * w, jitter(0.03) * h,
        jitter(0.045) * w, h - jitter(0.03) * h,
        w - jitter(0.045) * w, h - jitter(0.03) * h,
        w - jitter(0.045) * w, jitter(0.03) * h,
    )  # fmt: skip
    seen = table.transform((w, h), Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)
    seen = seen.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.7)))
    pixels = np.asarray(seen, dtype=np.float32)
    across, down = np.meshgrid(np.linspace(0, 1, w, dtype=np.float32), np.linspace(0, 1, h, dtype=np.float32))
    if rng.random() < 0.5:
        across = 1 - across
    dark = rng.uniform(0.62, 0.8)
    light = dark + (0.98 - dark) * across + 0.06 * (1 - down)
    warmth = np.array([1.02, 1.0, 0.94], dtype=np.float32)
    pixels = pixels * light[..., None] * warmth + _noise(rng, (h, w, 1), rng.uniform(2.5, 5))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _noise(rng: Random, shape: tuple[int, ...], strength: float) -> np.ndarray:
    generator = np.random.Generator(np.random.PCG64(rng.getrandbits(32)))
    return generator.normal(0, strength, shape).astype(np.float32)


def jpeg(image: Image.Image, *, quality: int = 82, dpi: int = 200, orientation: int = 1) -> bytes:
    """``image`` as JPEG bytes; ``orientation`` 6 stores it lying on its side, as telephones do, and says so in EXIF."""
    exif = Image.Exif()
    if orientation == 6:
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[_EXIF_ORIENTATION] = 6
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, dpi=(dpi, dpi), exif=exif)
    return out.getvalue()


def tiff(images: Sequence[Image.Image], *, dpi: int = 200) -> bytes:
    """``images`` as one TIFF, a page each, compressed without loss."""
    out = io.BytesIO()
    images[0].save(out, "TIFF", save_all=True, append_images=images[1:], compression="tiff_lzw", dpi=(dpi, dpi))
    return out.getvalue()


def image_pdf(images: Sequence[Image.Image], *, quality: int = 80, dpi: int = 200) -> bytes:
    """``images`` as a PDF without any text, as scanners write it."""
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    for image in images:
        width, height = (side * 72 / dpi for side in image.size)
        canvas.setPageSize((width, height))
        canvas.drawImage(ImageReader(io.BytesIO(jpeg(image, quality=quality, dpi=dpi))), 0, 0, width, height)
        canvas.showPage()
    canvas.save()
    return out.getvalue()

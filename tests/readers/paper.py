"""Real PDFs and pictures made on the spot, from built-in fonts only."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

A4_POINTS = (595.2756, 841.8898)
SONG = "STSong-Light"


def pdf_of(*drawings: Callable[[Canvas], None], size: tuple[float, float] = A4, encrypt: object = None) -> bytes:
    """A PDF with one page a drawing."""
    pdfmetrics.registerFont(UnicodeCIDFont(SONG))
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=size, encrypt=encrypt)
    for draw in drawings:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return target.getvalue()


def texts(*placed: tuple[float, float, str], font: str = "Helvetica", size: float = 10) -> Callable[[Canvas], None]:
    """Draws texts at (x, y) in points from the lower left corner."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont(font, size)
        for x, y, text in placed:
            canvas.drawString(x, y, text)

    return draw


def picture(
    *placed: tuple[int, int, str], size: tuple[int, int] = (1240, 1754), font_size: int = 28, paper: str = "white"
) -> Image.Image:
    """A picture of printed texts, each at its upper left corner in pixels."""
    image = Image.new("RGB", size, paper)
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(font_size)
    for x, y, text in placed:
        pen.text((x, y), text, fill="black", font=font)
    return image


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, format, **options)
    return target.getvalue()


INVOICE_LINES = (
    (100, 100, "Example Trading Ltd."),
    (100, 200, "INVOICE"),
    (700, 200, "Invoice No. 2026-00417"),
    (700, 260, "Date 2026-11-19"),
    (100, 500, "Description"),
    (900, 500, "Amount"),
    (100, 560, "Office paper A4"),
    (900, 560, "1,234.50"),
    (100, 620, "Desk lamp"),
    (900, 620, "89.90"),
    (100, 800, "Total"),
    (900, 800, "1,324.40"),
    (100, 1000, "Please pay within thirty days to the account below"),
)


def invoice_picture() -> Image.Image:
    return picture(*INVOICE_LINES)

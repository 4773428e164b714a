"""Paper to draw on: points from the top left corner, Latin and Chinese text in one call, the same bytes every time.

It refuses a character it has no glyph for, because a sample must never say in its truth what its page does not show.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.colors import Color, HexColor, black
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

MM = 72 / 25.4
A4 = (210 * MM, 297 * MM)
LETTER = (612.0, 792.0)
_CHINESE = "DroidSansFallbackSubset"
_FAMILIES = {
    "sans": ("Helvetica", "Helvetica-Bold"),
    "serif": ("Times-Roman", "Times-Bold"),
    "mono": ("Courier", "Courier-Bold"),
    "vera": ("Vera", "VeraBd"),
}


def _register_fonts() -> None:
    known = pdfmetrics.getRegisteredFontNames()
    for name, path in (
        (_CHINESE, Path(__file__).resolve().parents[1] / "fonts" / f"{_CHINESE}.ttf"),
        ("Vera", Path("Vera.ttf")),
        ("VeraBd", Path("VeraBd.ttf")),
    ):
        if name not in known:
            pdfmetrics.registerFont(TTFont(name, str(path)))


def _needs_chinese_font(character: str) -> bool:
    return ord(character) >= 0x2E80


class Sheet:
    """One PDF in the making. ``family`` is the typeface of Latin text on all its pages."""

    def __init__(
        self,
        size: tuple[float, float] = A4,
        *,
        family: str = "sans",
        title: str = "",
        producer: str = "",
        password: str | None = None,
    ) -> None:
        _register_fonts()
        self.width, self.height = size
        self.family = family
        self._bytes = io.BytesIO()
        encryption = StandardEncryption(password, ownerPassword=password, strength=128) if password else None
        self._canvas = Canvas(self._bytes, pagesize=size, invariant=1, pageCompression=1, encrypt=encryption)
        self._canvas.setTitle(title)
        self._canvas.setCreator(producer)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 9,
        *,
        bold: bool = False,
        align: str = "left",
        family: str | None = None,
        color: Color | str = black,
        max_width: float | None = None,
    ) -> float:
        """Prints one line with its base line ``y`` points below the top; returns the width used.

        ``max_width`` shrinks the type until the line fits, as invoice software does with long names.
        """
        runs = list(self._runs(text, family or self.family, bold))
        width = float(sum(stringWidth(run, font, size) for font, run in runs))
        if max_width and width > max_width:
            return self.text(
                x, y, text, size * max_width / width * 0.995, bold=bold, align=align, family=family, color=color
            )
        left = x - {"left": 0.0, "right": width, "center": width / 2}[align]
        self._canvas.setFillColor(HexColor(color) if isinstance(color, str) else color)
        for font, run in runs:
            self._canvas.setFont(font, size)
            self._canvas.drawString(left, self.height - y, run)
            left += stringWidth(run, font, size)
        return width

    def width_of(self, text: str, size: float, *, bold: bool = False, family: str | None = None) -> float:
        """How many points wide ``text`` would be."""
        return float(sum(stringWidth(run, font, size) for font, run in self._runs(text, family or self.family, bold)))

    def wrap(self, text: str, size: float, width: float) -> list[str]:
        """``text`` in lines of at most ``width`` points, broken at spaces, or anywhere in Chinese."""
        lines, line = [], ""
        for piece in _breakable(text):
            if line and self.width_of(line + piece.rstrip(), size) > width:
                lines.append(line.rstrip())
                line = ""
            line += piece
        return [*lines, line.rstrip()] if line.strip() else lines

    def line(self, x0: float, y0: float, x1: float, y1: float, *, width: float = 0.6, color: str = "#000000") -> None:
        """A straight line."""
        self._canvas.setStrokeColor(HexColor(color))
        self._canvas.setLineWidth(width)
        self._canvas.line(x0, self.height - y0, x1, self.height - y1)

    def box(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        *,
        width: float = 0.6,
        color: str | None = "#000000",
        fill: str | None = None,
    ) -> None:
        """A rectangle, outlined with ``color`` or filled with ``fill`` or both."""
        if fill:
            self._canvas.setFillColor(HexColor(fill))
        if color:
            self._canvas.setStrokeColor(HexColor(color))
            self._canvas.setLineWidth(width)
        self._canvas.rect(x0, self.height - y1, x1 - x0, y1 - y0, stroke=1 if color else 0, fill=1 if fill else 0)

    def circled_cross(self, x: float, y: float, radius: float, color: str) -> None:
        """The mark before a Chinese capital amount, drawn as lines: printed invoices draw it too."""
        self._canvas.setStrokeColor(HexColor(color))
        self._canvas.setLineWidth(0.7)
        self._canvas.circle(x, self.height - y, radius)
        d = radius * 0.7
        self._canvas.line(x - d, self.height - y - d, x + d, self.height - y + d)
        self._canvas.line(x - d, self.height - y + d, x + d, self.height - y - d)

    def seal(self, x: float, y: float, rx: float, ry: float, words: tuple[str, ...], color: str = "#d0312d") -> None:
        """An oval seal with straight words, thin enough to leave what is under it legible."""
        self._canvas.saveState()
        self._canvas.setStrokeColor(HexColor(color))
        self._canvas.setStrokeAlpha(0.6)
        self._canvas.setFillAlpha(0.55)
        self._canvas.setLineWidth(1.4)
        self._canvas.ellipse(x - rx, self.height - y - ry, x + rx, self.height - y + ry)
        for number, word in enumerate(words):
            self.text(
                x,
                y + (number - (len(words) - 1) / 2) * 9 + 3,
                word,
                6.5,
                align="center",
                color=color,
                max_width=rx * 1.6,
            )
        self._canvas.restoreState()

    def qr(self, x: float, y: float, side: float, text: str) -> None:
        """A QR code with its upper left corner at ``x, y``."""
        widget = QrCodeWidget(text, barLevel="M")
        x0, y0, x1, y1 = widget.getBounds()
        drawing = Drawing(side, side, transform=[side / (x1 - x0), 0, 0, side / (y1 - y0), 0, 0])
        drawing.add(widget)
        drawing.drawOn(self._canvas, x, self.height - y - side)

    def next_page(self) -> None:
        """Ends the page and starts another of the same size."""
        self._canvas.showPage()

    def pdf(self) -> bytes:
        """The finished file; the sheet cannot be drawn on afterwards."""
        self._canvas.showPage()
        self._canvas.save()
        return self._bytes.getvalue()

    @staticmethod
    def _runs(text: str, family: str, bold: bool) -> Iterator[tuple[str, str]]:
        latin = _FAMILIES[family][bold]
        for chinese, characters in groupby(text, key=_needs_chinese_font):
            run = "".join(characters)
            if chinese:
                glyphs = pdfmetrics.getFont(_CHINESE).face.charToGlyph
                if missing := [character for character in run if ord(character) not in glyphs]:
                    raise ValueError(f"the sample font lacks {missing}: run demo/fonts/make_subset.py again")
            yield (_CHINESE if chinese else latin), run


def _breakable(text: str) -> Iterator[str]:
    word = ""
    for character in text:
        if _needs_chinese_font(character):
            if word:
                yield word
                word = ""
            yield character
        else:
            word += character
            if character == " ":
                yield word
                word = ""
    if word:
        yield word

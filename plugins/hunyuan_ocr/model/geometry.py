"""Where text stands on a page: boxes, spans and readings.

Coordinates are *page units*: 0 to 1000 from the left edge and 0 to 1000 from the top edge of the upright page,
whatever its size in points or pixels. They are the unit HunyuanOCR answers in and the one the staging tables keep,
so a box never has to be converted on its way to the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reader(StrEnum):
    """Who read a page."""

    TEXT_LAYER = "text_layer"
    RAPIDOCR = "rapidocr"
    HUNYUAN = "hunyuan"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in page units (0 to 1000); ``x0 <= x1`` and ``y0 <= y1``."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def center_x(self) -> float:
        return (self.x0 + self.x1) / 2

    @property
    def center_y(self) -> float:
        return (self.y0 + self.y1) / 2

    def union(self, other: Box) -> Box:
        """The smallest box that covers both."""
        return Box(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))

    def overlap_x(self, other: Box) -> float:
        """How many page units both share horizontally; 0 when they are apart."""
        return max(0.0, min(self.x1, other.x1) - max(self.x0, other.x0))

    def overlap_y(self, other: Box) -> float:
        """How many page units both share vertically; 0 when they are apart."""
        return max(0.0, min(self.y1, other.y1) - max(self.y0, other.y0))


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text on one line with its box and the reader's confidence (0 to 1)."""

    text: str
    box: Box
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """All spans of one page by one reader, in reading order.

    ``page_no`` counts from 1. ``width`` and ``height`` are those of the upright page, in points for a PDF and in
    pixels for an image; only their ratio matters. ``rotation`` is how many degrees clockwise the stored page had to
    be turned to stand upright.
    """

    page_no: int
    reader: Reader
    reader_version: str
    spans: tuple[Span, ...]
    width: float
    height: float
    rotation: int = 0

    @property
    def text(self) -> str:
        """The spans' texts, one a line."""
        return "\n".join(span.text for span in self.spans)

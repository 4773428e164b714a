"""Pages written as plain text: a column is a character cell, two spaces or more set phrases apart."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hunyuan_ocr.extraction.prompts import PromptProfile, load_profiles
from hunyuan_ocr.model.geometry import Box, Reader, Reading, Span
from tests.extraction.shelf import Shelf

_PROMPTS = Path(__file__).resolve().parents[2] / "prompts"
_PHRASE = re.compile(r"\S+(?: \S+)*")


def _width(text: str) -> int:
    return sum(2 if "\u2e80" <= character <= "\u9fff" or "\uff00" <= character <= "\uffef" else 1 for character in text)


def page_of(text: str, *, page_no: int = 1, reader: Reader = Reader.TEXT_LAYER, confidence: float = 1.0) -> Reading:
    """A page from a drawing of it; East Asian characters are two cells wide, as on a terminal."""
    lines = text.strip("\n").split("\n")
    cells = max(80, *(_width(line) for line in lines))
    cell_width = 1000 / (cells + 4)
    height_in_lines = max(60, len(lines) + 4)
    line_height = 1000 / height_in_lines
    spans = []
    for line_no, line in enumerate(lines):
        for match in _PHRASE.finditer(line):
            x0 = (_width(line[: match.start()]) + 2) * cell_width
            x1 = x0 + _width(match.group()) * cell_width
            y0 = (line_no + 2) * line_height
            spans.append(Span(match.group(), Box(x0, y0, x1, y0 + 0.75 * line_height), confidence))
    # A terminal cell is about half as wide as it is high.
    width = 595.0
    height = width * (cell_width * 2) * height_in_lines / 1000
    return Reading(page_no, reader, "drawn", tuple(spans), width, max(height, 100.0))


@pytest.fixture(scope="session")
def profiles() -> tuple[PromptProfile, ...]:
    return load_profiles(_PROMPTS)


@pytest.fixture(scope="session")
def draw() -> Callable[..., Reading]:
    return page_of


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder temporary files go to, and nobody else's."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path

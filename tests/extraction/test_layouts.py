"""Every drawn page gives exactly the values written above it, and nothing for those that are null."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from hunyuan_ocr.extraction.prompts import PromptProfile
from hunyuan_ocr.extraction.reconcile import reconcile
from hunyuan_ocr.model.geometry import Reader, Reading

_LAYOUTS = sorted((Path(__file__).parent / "layouts").glob("*.txt"))


def _value(invoice: object, path: str) -> object:
    for part in path.split("."):
        invoice = getattr(invoice, part)
    return invoice


def _expected(path: Path) -> tuple[dict[str, Any], list[str]]:
    head, _, drawing = path.read_text(encoding="utf-8").partition("---\n")
    return yaml.load(head, Loader=yaml.BaseLoader), drawing.split("\f")


@pytest.mark.parametrize("reader", [Reader.TEXT_LAYER, Reader.RAPIDOCR])
@pytest.mark.parametrize("path", _LAYOUTS, ids=lambda path: path.stem)
def test_a_drawn_page_gives_its_values(
    path: Path, reader: Reader, profiles: tuple[PromptProfile, ...], draw: Callable[..., Reading]
) -> None:
    expected, pages = _expected(path)
    confidence = 1.0 if reader is Reader.TEXT_LAYER else 0.96
    readings = [draw(page, page_no=n, reader=reader, confidence=confidence) for n, page in enumerate(pages, 1)]
    invoice = reconcile(readings, profiles=profiles).invoice
    got: dict[str, object] = {}
    want: dict[str, object] = {}
    for field, text in expected.items():
        if field == "lines":
            got[field], want[field] = len(invoice.lines), int(text)
            continue
        value = _value(invoice, "document_kind" if field == "kind" else field)
        want[field] = None if text == "null" else text
        if isinstance(value, Decimal):
            want[field] = Decimal(text)
        got[field] = value if value is None or isinstance(value, Decimal) else str(value)
    assert got == want

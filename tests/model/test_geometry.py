"""Boxes in page units, and readings in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_ocr.model.geometry import Box, Reader, Reading, Span

UNITS = st.integers(0, 1000)
BOXES = st.builds(lambda a, b, c, d: Box(min(a, c), min(b, d), max(a, c), max(b, d)), UNITS, UNITS, UNITS, UNITS)


def test_sizes_and_centres() -> None:
    box = Box(10, 20, 40, 60)
    assert (box.width, box.height, box.center_x, box.center_y) == (30, 40, 25, 40)


def test_boxes_apart_share_nothing() -> None:
    assert Box(0, 0, 10, 10).overlap_x(Box(20, 0, 30, 10)) == 0
    assert Box(0, 0, 10, 10).overlap_y(Box(0, 20, 10, 30)) == 0
    assert Box(0, 0, 10, 10).overlap_x(Box(4, 0, 30, 10)) == 6


@given(BOXES, BOXES)
def test_union_covers_both_and_overlap_is_shared_alike(a: Box, b: Box) -> None:
    union = a.union(b)
    for box in (a, b):
        assert union.overlap_x(box) == box.width
        assert union.overlap_y(box) == box.height
    assert a.overlap_x(b) == b.overlap_x(a) <= min(a.width, b.width)
    assert a.overlap_y(b) == b.overlap_y(a) <= min(a.height, b.height)
    assert a.union(a) == a


def test_a_reading_is_its_spans_one_a_line() -> None:
    spans = (Span("Total", Box(0, 0, 10, 10)), Span("12.00", Box(20, 0, 30, 10), confidence=0.9))
    reading = Reading(1, Reader.RAPIDOCR, "rapidocr-test", spans, width=210, height=297)
    assert reading.text == "Total\n12.00"

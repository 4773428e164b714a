"""Grouping glyphs: nothing printed is lost, nothing is read twice, no span reaches across a column gap."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_ocr.model.geometry import Box
from hunyuan_ocr.readers.text_lines import Glyph, pieces_of, spans_of, unique_glyphs

WIDTH, HEIGHT, SIZE = 600.0, 800.0, 10.0
ADVANCE = 0.5 * SIZE

words = st.text(st.sampled_from("ABCDEFGHKabcdefgh0123456789.,-€"), min_size=1, max_size=6)
tables = st.lists(st.lists(st.lists(words, min_size=1, max_size=2), min_size=1, max_size=4), min_size=1, max_size=8)


def glyphs_of(text: str, x: float, y: float) -> list[Glyph]:
    return [
        Glyph(character, Box(x + i * ADVANCE, y, x + (i + 1) * ADVANCE, y + SIZE), x + i * ADVANCE, y + 0.8 * SIZE)
        for i, character in enumerate(text)
    ]


@given(tables, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_a_table_comes_back_cell_by_cell_whatever_the_drawing_order(table, shuffler: random.Random):
    glyphs, expected = [], []
    for row, cells in enumerate(table):
        for column, cell in enumerate(cells):
            text = " ".join(cell)
            expected.append(text)
            glyphs += glyphs_of(text, 20 + column * 140, 20 + row * 2 * SIZE)
    shuffler.shuffle(glyphs)
    spans = spans_of(pieces_of(glyphs), WIDTH, HEIGHT)
    assert [span.text for span in spans] == expected


@given(st.lists(st.tuples(words, st.integers(0, 550), st.integers(0, 780)), max_size=30))
@settings(max_examples=150, deadline=None)
def test_no_character_is_lost_or_added_and_boxes_stay_on_the_page(placed):
    glyphs = [glyph for text, x, y in placed for glyph in glyphs_of(text, x, y)]
    spans = spans_of(pieces_of(glyphs), WIDTH, HEIGHT)
    assert sorted("".join(span.text for span in spans).replace(" ", "")) == sorted(glyph.text for glyph in glyphs)
    for span in spans:
        assert 0 <= span.box.x0 <= span.box.x1 <= 1000 and 0 <= span.box.y0 <= span.box.y1 <= 1000


@given(words, st.floats(0, 1.0), st.floats(0, 1.0))
def test_a_word_drawn_twice_within_a_pixel_is_one_word(word, dx, dy):
    glyphs = glyphs_of(word, 50, 50) + glyphs_of(word, 50 + dx, 50 + dy)
    (span,) = spans_of(pieces_of(unique_glyphs(glyphs)), WIDTH, HEIGHT)
    assert span.text == word

"""From a vision model's raw text to data: the door to the parsers of spotting, field and table answers.

All of them are pure and total: whatever the text, they return, in time proportional to its length, and say what was
wrong with it. They judge the form of an answer, never its truth.
"""

from __future__ import annotations

from hunyuan_ocr.extraction.answer_text import clean_text, problem_of
from hunyuan_ocr.extraction.field_answers import FieldAnswer, FieldsAnswer, parse_fields
from hunyuan_ocr.extraction.html_tables import HtmlTable, TableCell, parse_table
from hunyuan_ocr.extraction.spotting import SPOTTING_CONFIDENCE, SpottingAnswer, parse_spotting

__all__ = [
    "SPOTTING_CONFIDENCE",
    "FieldAnswer",
    "FieldsAnswer",
    "HtmlTable",
    "SpottingAnswer",
    "TableCell",
    "clean_text",
    "parse_fields",
    "parse_spotting",
    "parse_table",
    "problem_of",
]

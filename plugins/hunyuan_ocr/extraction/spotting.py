"""Spotting answers: every line of text on a page with its box, as spans.

Three written forms of one thing: markers around text and box (special tokens kept), text and box run together (special
tokens skipped: the text may hold parentheses of its own), and the JSON list of HunyuanOCR 1.5. Coordinates are page
units already (0 to 1000 of the picture sent), so nothing is scaled. Boxes are never guessed: text without one is no
span.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hunyuan_ocr.extraction.answer_text import (
    EMPTY,
    OFF_FORMAT,
    REFUSAL,
    TRUNCATED,
    is_refusal,
    unescaped,
    with_plain_markers,
    without_fence,
    without_layout,
    without_preamble,
)
from hunyuan_ocr.extraction.lenient_json import JsonObject, JsonValue, read_json_list
from hunyuan_ocr.model.geometry import Box, Span

#: The model gives no confidence. This constant says "read by a vision model, position plausible"; it ranks below an
#: exact text layer (1.0) and is not a probability.
SPOTTING_CONFIDENCE = 0.9
#: More than any page holds; the rest of the answer is a loop.
MAX_SPANS = 20_000
_PAGE = 1000.0
#: From this share of boxes beyond the page on, the answer is not in page units (pixels, another model).
_STRAY_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class SpottingAnswer:
    """The spans in the order of the answer, which is reading order.

    ``problem``: ``empty``, ``refusal``, ``off_format`` (no boxes, or not in page units) or ``truncated`` (the answer
    ends within an entry, which is left out); empty when the answer is complete. ``remainder`` is the text after the
    last box.
    """

    spans: tuple[Span, ...]
    problem: str = ""
    remainder: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    """``coordinates`` are x and y by turns, of two corners or of any polygon."""

    text: str
    coordinates: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Entries:
    entries: list[_Entry]
    remainder: str = ""
    is_truncated: bool = False


_NUMBER = r"(-?\d{1,6}(?:\.\d{1,6})?)"
_POINT = rf"[(（]\s{{0,3}}{_NUMBER}\s{{0,3}}[,，]\s{{0,3}}{_NUMBER}\s{{0,3}}[)）]"
_POINTS = re.compile(_POINT)
_BOX = re.compile(rf"{_POINT}\s{{0,3}}[,，]\s{{0,3}}{_POINT}")
_TAG = re.compile(r"<(/?)(ref|quad|pFig)>")
_HAS_BOX_KEY = re.compile(r"[\"'“”‘’](?:box|bbox|bbox_2d)[\"'“”‘’]\s{0,5}[:：]")
_NUMERAL = re.compile(_NUMBER)
_NUMERALS = re.compile(r"[\s\d.,()\[\]-]{1,200}")


def parse_spotting(text: str) -> SpottingAnswer:
    """The spans of a spotting answer in any of its forms; see ``SpottingAnswer`` for what can be wrong."""
    marked = with_plain_markers(text)
    said = without_fence(without_preamble(without_layout(marked)))
    if "<quad>" in said:
        found = _marked_entries(said)
    elif _HAS_BOX_KEY.search(said):
        found = _json_entries(said)
    else:
        found = _run_together_entries(said)
    spans, is_in_page_units = _spans(found.entries)
    if not spans:
        return SpottingAnswer((), _problem_without_spans(said, found), found.remainder)
    if not is_in_page_units or "<hy-meta>" in marked:
        return SpottingAnswer(spans, OFF_FORMAT, found.remainder)
    return SpottingAnswer(spans, TRUNCATED if found.is_truncated else "", found.remainder)


def _marked_entries(said: str) -> _Entries:
    """``<ref>text</ref><quad>(x,y),(x,y)</quad>``; a ``<pFig>`` with its box is a figure, not text."""
    entries: list[_Entry] = []
    first, *rest = _TAG.split(said)
    spoken = [first]
    is_figure = False
    for slash, name, after in zip(rest[0::3], rest[1::3], rest[2::3], strict=True):
        if name == "quad" and not slash:
            if not is_figure and len(points := _POINTS.findall(after)) > 1:
                entries.append(_Entry("".join(spoken), tuple(float(number) for point in points for number in point)))
                spoken = []
            continue
        if name == "ref" and not slash:
            spoken = []
        is_figure = name == "pFig"
        if not is_figure:
            spoken.append(after)
    remainder = "".join(spoken).strip()
    return _Entries(entries, remainder, bool(remainder))


def _run_together_entries(said: str) -> _Entries:
    """``text(x,y),(x,y)text(x,y),(x,y)``: whatever stands before a pair of points belongs to it."""
    entries: list[_Entry] = []
    position = 0
    for box in _BOX.finditer(said):
        entries.append(_Entry(said[position : box.start()], tuple(map(float, box.groups()))))
        position = box.end()
    remainder = said[position:].strip()
    return _Entries(entries, remainder, bool(remainder))


def _json_entries(said: str) -> _Entries:
    """``[{"box": [xmin, ymin, xmax, ymax], "text": "…"}, …]``, at any depth and in any order of the keys."""
    answer = read_json_list(said)
    entries: list[_Entry] = []
    waiting: list[JsonValue] = list(reversed(answer.values))
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(reversed(value))
        elif isinstance(value, JsonObject):
            by_name = {name.strip().lower(): said for name, said in value.pairs}
            box = next((by_name[name] for name in ("box", "bbox", "bbox_2d") if name in by_name), None)
            written = by_name.get("text")
            if isinstance(written, str) and box is not None:
                entries.append(_Entry(written, _coordinates(box)))
            else:
                waiting.extend(inner for _, inner in reversed(value.pairs))
    return _Entries(entries, is_truncated=answer.is_truncated)


def _coordinates(box: JsonValue) -> tuple[float, ...]:
    """The numbers of a box, nested or written as text; nothing when anything else is among them."""
    numbers: list[float] = []
    waiting = [box]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(reversed(value))
        elif isinstance(value, str) and _NUMERALS.fullmatch(value):
            numbers.extend(map(float, _NUMERAL.findall(value)))
        else:
            return ()
    return tuple(numbers)


def _spans(entries: Iterable[_Entry]) -> tuple[tuple[Span, ...], bool]:
    """The entries as spans on the page, each print once; and whether their boxes are in page units."""
    spans: dict[tuple[str, Box], Span] = {}
    boxes = strays = 0
    for entry in entries:
        xs, ys = entry.coordinates[0::2], entry.coordinates[1::2]
        if len(xs) < 2 or len(xs) != len(ys):
            continue
        boxes += 1
        strays += max(*xs, *ys) > _PAGE or min(*xs, *ys) < 0
        text = " ".join(unescaped(entry.text).split())
        is_off_page = min(xs) >= _PAGE or min(ys) >= _PAGE or max(xs) < 0 or max(ys) < 0
        if not text or is_off_page or len(spans) >= MAX_SPANS:
            continue
        box = Box(_clamped(min(xs)), _clamped(min(ys)), _clamped(max(xs)), _clamped(max(ys)))
        spans.setdefault((text, box), Span(text, box, SPOTTING_CONFIDENCE))
    return tuple(spans.values()), strays <= _STRAY_SHARE * boxes


def _clamped(coordinate: float) -> float:
    return min(max(coordinate, 0.0), _PAGE)


def _problem_without_spans(said: str, found: _Entries) -> str:
    has_text = any(entry.text.strip() for entry in found.entries) or found.remainder.strip("[]{} \n")
    if not has_text and not _HAS_BOX_KEY.search(said):
        return EMPTY
    return REFUSAL if is_refusal(said) else OFF_FORMAT

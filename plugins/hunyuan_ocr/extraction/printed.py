"""Does a text stand on the page at all, and where? Tells what a model invented from what it took from elsewhere.

Spaces, separators, signs of currency, widths and the writing of dates do not matter. It knows nothing of labels, but
for one question: whether a value stands beside a given one.
"""

from __future__ import annotations

import re
from functools import cached_property

from hunyuan_ocr.extraction.agreement import identifier_key, readings_of
from hunyuan_ocr.extraction.context import mask_dates
from hunyuan_ocr.extraction.layout import Chunk, Layout, label_key
from hunyuan_ocr.extraction.prompts import ValueType
from hunyuan_ocr.model.parsing.dates import find_dates
from hunyuan_ocr.model.parsing.money import find_money

_MOST_PARTS = 8
_BELOW_LINES = 3.0
_SHORTEST_WORD = 2
_LONG_PHRASE = 4


class PrintedText:
    """All text of a document's pages, searchable by what it means."""

    def __init__(self, layout: Layout, page_no: int | None = None) -> None:
        self._layout = layout
        self._rows = [row for row in layout.rows if page_no is None or row.page_no == page_no]
        self._chunks = [chunk for row in self._rows for chunk in row.chunks]

    @cached_property
    def _amounts(self) -> list[str]:
        found: list[str] = []
        for chunk in self._chunks:
            for match in find_money(mask_dates(chunk.text)):
                found.extend({f"{abs(reading).normalize():f}" for reading in match.parsed.readings})
        return found

    @cached_property
    def _days(self) -> list[str]:
        found: list[str] = []
        for chunk in self._chunks:
            for match in find_dates(chunk.text):
                found.extend(day.isoformat() for day in match.parsed.readings)
        return found

    @cached_property
    def _identifiers(self) -> list[str]:
        """Every run of up to eight neighbouring words of a phrase, without separators."""
        found = []
        for chunk in self._chunks:
            words = [key for word in re.split(r"[\s:：,;()（）]+", chunk.text) if (key := identifier_key(word))]
            for start in range(len(words)):
                joined = ""
                for word in words[start : start + _MOST_PARTS]:
                    joined += word
                    found.append(joined)
        return found

    @cached_property
    def _text(self) -> str:
        return "\n".join("".join(chunk.folded for chunk in row.chunks) for row in self._rows)

    @cached_property
    def _flow(self) -> str:
        return self._text.replace("\n", "")

    def count(self, text: str, kind: ValueType) -> int:
        """In how many places a value stands, in any spelling of its kind."""
        readings = readings_of(text, kind)
        if kind in (ValueType.MONEY, ValueType.RATE):
            wanted = {reading.removeprefix("-") for reading in map(_plain_number, readings)}
            return sum(amount in wanted for amount in self._amounts)
        if kind is ValueType.DATE:
            return sum(day in readings for day in self._days)
        if kind in (ValueType.TEXT, ValueType.CURRENCY, ValueType.CAPITAL_AMOUNT):
            key = label_key(text)[0]
            return self._text.count(key) if key else 0
        key = identifier_key(text)
        return sum(identifier == key for identifier in self._identifiers) if key else 0

    def holds(self, text: str, kind: ValueType) -> bool:
        """True when the value, or for a longer text nearly all of its words, stand on the page."""
        if self.count(text, kind):
            return True
        if kind is not ValueType.TEXT:
            key = identifier_key(text)
            return len(key) > _MOST_PARTS and key in identifier_key(self._flow)
        return self.share_of(text) >= 0.9

    def share_of(self, text: str) -> float:
        """How much of a text (0 to 1, by letters and digits) stands on the page, its words in any order."""
        if (whole := label_key(text)[0]) and whole in self._flow:
            return 1.0
        words = [key for word in re.split(r"[\s,;，；、/]+", text) if (key := label_key(word)[0])]
        letters = sum(len(word) for word in words)
        found = sum(len(word) for word in words if len(word) >= _SHORTEST_WORD and word in self._flow)
        return found / letters if letters else 0.0

    def phrase_of(self, text: str) -> Chunk | None:
        """The one phrase that consists of the text, else the one that holds it; ``None`` when there are several."""
        key = label_key(text)[0]
        if not key:
            return None
        same = [chunk for chunk in self._chunks if chunk.folded == key]
        holding = same or [chunk for chunk in self._chunks if len(key) >= _LONG_PHRASE and key in chunk.folded]
        return holding[0] if len(holding) == 1 else None

    def beside(self, label: str, text: str) -> Chunk | None:
        """The phrase that holds the text, when it stands in one line with a label, to its right, or just under it."""
        label_text, key = label_key(label)[0], label_key(text)[0]
        if not label_text or not key:
            return None
        for row_no, row in enumerate(self._rows):
            for column, chunk in enumerate(row.chunks):
                folded = chunk.folded
                place = folded.find(label_text)
                if place < 0:
                    continue
                if key in folded[place + len(label_text) :]:
                    return chunk
                page = self._layout.page(row.page_no)
                following = row.chunks[column + 1 : column + 2]
                under = [
                    other
                    for below in self._rows[row_no + 1 : row_no + 4]
                    if below.page_no == row.page_no and below.box.y0 - chunk.box.y1 < _BELOW_LINES * page.line
                    for other in below.chunks
                    if other.box.overlap_x(chunk.box) > 0
                ]
                for other in (*following, *under):
                    if key in other.folded:
                        return other
        return None


def _plain_number(text: str) -> str:
    whole, _, cents = text.partition(".")
    cents = cents.rstrip("0")
    return f"{whole}.{cents}" if cents else whole

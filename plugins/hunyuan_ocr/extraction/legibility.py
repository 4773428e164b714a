"""How well a page was read, told from the reading alone: does it look like text, upright, large enough, of an invoice?

Measures only. What follows from them is the examiner's to say, and whether a value is right is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from hunyuan_ocr.extraction.layout import is_cjk, key_of, label_key
from hunyuan_ocr.extraction.prompts import PromptProfile, invoice_profiles
from hunyuan_ocr.model.geometry import Reading, Span

_TALL = 1.5
_SHORTEST_LABEL = 4
_SHORTEST_CJK_LABEL = 2
_LONGEST_LABEL = 40
_WORD = re.compile(r"[^\W\d_]{3,}")
_SAME_ROW = 0.5
_FOOT = 650.0


@dataclass(frozen=True, slots=True)
class Legibility:
    """Measures of one reading.

    ``letters`` counts letters and digits of distinct upright spans, ``words`` those that stand in words; ``singles`` is
    the share of spans of one character; ``tall`` the share of longer ones that are higher than wide. ``labels`` are
    distinct printed labels known to any profile. ``text_height`` is the median height of a line in pixels of the
    picture that was sent, 0 without lines. ``runs_down`` tells, for tall lines, whether the first ones stand at the
    right: text that runs from top to bottom. ``is_upside_down``: values stand left of their labels, or the title stands
    at the foot.
    """

    spans: int
    letters: int
    words: int
    singles: float
    tall: float
    labels: int
    text_height: float
    runs_down: bool
    is_upside_down: bool


class LabelWords:
    """Every label, title and telling word of the invoice profiles, to recognise a page by."""

    def __init__(self, profiles: Iterable[PromptProfile]) -> None:
        known = invoice_profiles(profiles)
        words = {text for profile in known for text in _texts(profile)}
        titles = {text for profile in known for text in profile.recognise.titles}
        self._keys = frozenset(key for key in map(key_of, words) if _is_telling(key))
        self._titles = frozenset(key for key in map(key_of, titles) if _is_telling(key))

    def label_in(self, folded: str) -> str:
        """The longest known label a folded text begins with, or nothing."""
        for end in range(min(len(folded), _LONGEST_LABEL), 1, -1):
            if folded[:end] in self._keys:
                return folded[:end]
        return ""

    def is_label(self, folded: str) -> bool:
        return folded in self._keys

    def is_title(self, folded: str) -> bool:
        """A headline is a title and little else; Chinese forms put the province before it."""
        ends = range(len(folded), len(folded) // 2, -1)
        return any(folded[:end] in self._titles or folded[-end:] in self._titles for end in ends)


def measure(reading: Reading, labels: LabelWords, picture_height: int) -> Legibility:
    """The measures of a reading; ``picture_height`` is that of the picture sent, in pixels."""
    aspect = reading.height / reading.width if reading.width > 0 and reading.height > 0 else 1.414
    telling = [(span, label_key(span.text)[0]) for span in reading.spans]
    telling = [(span, folded) for span, folded in telling if folded]
    long = [span for span, folded in telling if len(folded) > 1]
    tall = [span for span in long if _is_tall(span, aspect)]
    lines = [(span, folded) for span, folded in telling if len(folded) == 1 or not _is_tall(span, aspect)]
    texts = {span.text for span, _ in lines}
    heights = [span.box.height for span, folded in lines if len(folded) > 1]
    return Legibility(
        spans=len(telling),
        letters=sum(sum(character.isalnum() for character in text) for text in texts),
        words=sum(_letters_in_words(text) for text in texts),
        singles=1 - len(long) / len(telling) if telling else 0.0,
        tall=len(tall) / len(long) if long else 0.0,
        labels=len({found for _, folded in lines if (found := labels.label_in(folded))}),
        text_height=median(heights) * picture_height / 1000 if heights else 0.0,
        runs_down=_runs_down(tall),
        is_upside_down=_is_upside_down(lines, labels),
    )


def _texts(profile: PromptProfile) -> Iterable[str]:
    for spec in profile.fields.values():
        yield from (label.text for label in spec.labels)
    for party in (profile.seller, profile.buyer):
        yield from (label.text for label in (*party.sections, *party.names))
    if profile.paired is not None:
        for texts in profile.paired.labels.values():
            yield from texts
    for texts in profile.table.columns.values():
        yield from texts
    yield from profile.recognise.titles
    yield from profile.recognise.anchors


def _is_telling(key: str) -> bool:
    if not key or key.isdigit():
        return False
    return len(key) >= (_SHORTEST_CJK_LABEL if is_cjk(key[0]) else _SHORTEST_LABEL)


def _is_tall(span: Span, aspect: float) -> bool:
    return span.box.height * aspect > _TALL * span.box.width


def _letters_in_words(text: str) -> int:
    chinese = sum(is_cjk(character) for character in text)
    latin = "".join(" " if is_cjk(character) else character for character in text)
    numbers = sum(len(word) for word in latin.split() if any(map(str.isdigit, word)))
    return (chinese if chinese > 1 else 0) + numbers + sum(len(word) for word in _WORD.findall(latin))


def _runs_down(tall: Sequence[Span]) -> bool:
    """The answer is in reading order: do the lines begin at the right and go left?"""
    half = len(tall) // 2
    if not half:
        return False
    first = sum(span.box.center_x for span in tall[:half]) / half
    last = sum(span.box.center_x for span in tall[-half:]) / half
    return first > last


def _is_upside_down(lines: Sequence[tuple[Span, str]], labels: LabelWords) -> bool:
    """Labels stand left of their values in every language of the profiles; on a page on its head they stand right."""
    upright = inverted = 0
    spans = [span for span, _ in lines]
    for span, folded in lines:
        if not labels.is_label(folded):
            continue
        row = [other for other in spans if other is not span and _shares_row(span, other)]
        left = max((other for other in row if other.box.x1 <= span.box.center_x), key=_right_edge, default=None)
        right = min((other for other in row if other.box.x0 >= span.box.center_x), key=_left_edge, default=None)
        upright += _has_digit(right) and not _has_digit(left)
        inverted += _has_digit(left) and not _has_digit(right)
    titles = [span.box.center_y for span, folded in lines if labels.is_title(folded)]
    is_title_at_foot = bool(titles) and min(titles) > _FOOT
    return (inverted >= 3 and inverted > 2 * upright) or (is_title_at_foot and inverted >= upright)


def _shares_row(span: Span, other: Span) -> bool:
    return span.box.overlap_y(other.box) > _SAME_ROW * min(span.box.height, other.box.height)


def _right_edge(span: Span) -> float:
    return span.box.x1


def _left_edge(span: Span) -> float:
    return span.box.x0


def _has_digit(span: Span | None) -> bool:
    return span is not None and any(map(str.isdigit, span.text))

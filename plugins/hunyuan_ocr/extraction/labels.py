"""Where the printed labels of a document are, and where their values may stand.

A label is looked for by its letters alone (no spaces, accents or punctuation), the longest one wins, and a reader's
slip in a scanned label is forgiven. What is *not* a field ("Customer no.", "Ship to") is known too: such a label ends
its neighbour's value and never lends a value to another field. This module finds labels and regions; it does not
judge values.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hunyuan_ocr.extraction.layout import Chunk, Layout, is_cjk, key_of, label_key
from hunyuan_ocr.extraction.prompts import PromptProfile, ValueType, Where

_FOREIGN_WEIGHT = 0.93
_INSIDE_PROSE = 0.7
_SHORT = 3
_AND = frozenset({"und", "and", "et", "y", "e", "en", "bzw", "bzw."})
_FUZZY_CUTOFF = 86.0
_FUZZY_MIN_LENGTH = 6
_RIGHT_REACH = 420.0
_BELOW_LINES = 3.2


class Role(StrEnum):
    """What a label is for."""

    FIELD = "field"
    SECTION = "section"
    PARTY_NAME = "party_name"
    PAIRED = "paired"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a label stands for. ``target`` is a field path, or ``seller``, ``buyer``, ``other`` for a section."""

    role: Role
    target: str
    text: str
    weight: float
    type: ValueType | None = None
    where: tuple[Where, ...] = ()
    lengths: tuple[int, ...] = ()
    max_length: int = 120


@dataclass(frozen=True, slots=True)
class Hit:
    """A label found on the page: ``chunk.text[start:end]``. ``weight`` includes how well it matched."""

    meaning: Meaning
    row: int
    column: int
    chunk: Chunk
    start: int
    end: int
    weight: float
    has_colon: bool

    @property
    def target(self) -> str:
        return self.meaning.target


@dataclass(frozen=True, slots=True)
class Region:
    """A piece of a chunk where a value of a label may stand; ``nearness`` is 0 to 1."""

    where: Where
    row: int
    column: int
    chunk: Chunk
    start: int
    end: int
    nearness: float

    @property
    def text(self) -> str:
        return self.chunk.text[self.start : self.end]


class LabelBook:
    """All labels of a profile (and of those it borrows from), by their folded text."""

    def __init__(self, profile: PromptProfile, profiles: Sequence[PromptProfile] = ()) -> None:
        by_code = {other.code: other for other in profiles}
        self._meanings: dict[str, list[Meaning]] = {}
        self._add(profile, 1.0)
        for code in profile.also_labels_of:
            if code in by_code:
                self._add(by_code[code], _FOREIGN_WEIGHT)
        self._by_prefix: dict[str, list[str]] = defaultdict(list)
        for key in self._meanings:
            self._by_prefix[key[:2]].append(key)
        for keys in self._by_prefix.values():
            keys.sort(key=len, reverse=True)
        self._by_looks = {_looks(key): key for key in self._meanings if len(key) >= _FUZZY_MIN_LENGTH}

    def _add(self, profile: PromptProfile, factor: float) -> None:
        for path, spec in profile.fields.items():
            for label in spec.labels:
                where = label.where or spec.where
                weight = label.weight * factor
                self._put(
                    Meaning(Role.FIELD, path, label.text, weight, spec.type, where, spec.lengths, spec.max_length)
                )
        for party, headings in (("seller", profile.seller), ("buyer", profile.buyer)):
            for label in headings.sections:
                self._put(Meaning(Role.SECTION, party, label.text, label.weight * factor))
            for label in headings.names:
                self._put(Meaning(Role.PARTY_NAME, party, label.text, label.weight * factor))
        if profile.paired is not None and factor == 1.0:
            for target, texts in profile.paired.labels.items():
                for text in texts:
                    self._put(Meaning(Role.PAIRED, target, text, factor))
        for label in profile.other_sections:
            self._put(Meaning(Role.SECTION, "other", label.text, label.weight * factor))
        for text in profile.other_labels:
            self._put(Meaning(Role.OTHER, "", text, factor))

    def _put(self, meaning: Meaning) -> None:
        key = key_of(meaning.text)
        known = self._meanings.setdefault(key, []) if key else []
        if key and not any((other.role, other.target) == (meaning.role, meaning.target) for other in known):
            known.append(meaning)

    def hits(self, layout: Layout) -> list[Hit]:
        """Every label of the document, in reading order; labels do not overlap."""
        found: list[Hit] = []
        ocr_pages = {page.page_no for page in layout.pages if page.is_ocr}
        for row_no, row in enumerate(layout.rows):
            for column, chunk in enumerate(row.chunks):
                exact = list(self._hits_of(chunk, row_no, column))
                if not exact and chunk.page_no in ocr_pages:
                    exact = list(self._fuzzy_hit(chunk, row_no, column))
                found.extend(exact)
        return found

    def _hits_of(self, chunk: Chunk, row: int, column: int) -> Iterator[Hit]:
        folded, places = chunk.folded, chunk.places
        position, size = 0, len(folded)
        words = chunk.text.count(" ") + 1
        while position < size - 1:
            key = self._longest_at(chunk, position)
            if key is None:
                position += 1
                continue
            meanings = self._meanings[key]
            start, end = places[position], places[position + len(key) - 1] + 1
            is_part = len(key) <= _SHORT and _PART_OF_WORD.match(chunk.text, end - 1) is not None
            end, has_colon = _past_mark(chunk.text, end)
            if is_part:
                position += 1
                continue
            stands_free = has_colon or _follows_break(chunk.text, start) or is_cjk(key[0])
            if len(key) <= _SHORT and not stands_free:
                # "Muster, S.L. CIF B12345678": a short word inside a line is a label where an id follows it.
                if not _ID_FOLLOWS.match(chunk.text, end):
                    position += 1
                    continue
                meanings = [meaning for meaning in meanings if meaning.type is ValueType.TAX_ID]
            heads = _heads_block(chunk, position, len(key), has_colon)
            meanings = [meaning for meaning in meanings if meaning.role is not Role.SECTION or heads]
            factor = 1.0
            if not has_colon and position > 0 and not _follows_break(chunk.text, start) and words > 5:
                factor = _INSIDE_PROSE
            for meaning in meanings:
                yield Hit(meaning, row, column, chunk, start, end, meaning.weight * factor, has_colon)
            position += len(key) if meanings else 1

    def _longest_at(self, chunk: Chunk, position: int) -> str | None:
        folded = chunk.folded
        if not may_start(chunk, position):
            return None
        for key in self._by_prefix.get(folded[position : position + 2], ()):
            if folded.startswith(key, position) and may_end(chunk, position + len(key)):
                return key
        return None

    def _fuzzy_hit(self, chunk: Chunk, row: int, column: int) -> Iterator[Hit]:
        from rapidfuzz import fuzz, process

        head = _END_OF_LABEL.split(chunk.text, maxsplit=1)[0]
        key, places = label_key(head)
        if not _FUZZY_MIN_LENGTH <= len(key) <= 32 or sum(character.isdigit() for character in key) > 2:
            return
        best = process.extractOne(_looks(key), self._by_looks.keys(), scorer=fuzz.ratio, score_cutoff=_FUZZY_CUTOFF)
        if best is None:
            return
        end, has_colon = _past_mark(chunk.text, places[-1] + 1)
        for meaning in self._meanings[self._by_looks[best[0]]]:
            weight = meaning.weight * best[1] / 100.0 * 0.95
            yield Hit(meaning, row, column, chunk, places[0], end, weight, has_colon)


_ID_FOLLOWS = re.compile(r"[A-Z]{0,4}[ -]?\d{7,}[A-Z0-9]*\b")
# INV in INV0ICE is no label.
_PART_OF_WORD = re.compile(r"[A-Za-z]\d+[A-Za-z]")
_END_OF_LABEL = re.compile(r"[:：]|(?<=#)|\s+(?=\d{3})")
_LOOKS = str.maketrans({"1": "i", "l": "i", "0": "o", "5": "s", "8": "b"})


def _looks(key: str) -> str:
    """Characters that scans confuse made alike: ``lnvoice Nurnber`` looks like ``Invoice Number``."""
    return key.translate(_LOOKS).replace("rn", "m").replace("vv", "w")


def may_start(chunk: Chunk, position: int) -> bool:
    """True when a word may begin at the folded place ``position``; readers lose spaces, so a capital counts."""
    if position == 0:
        return True
    text, at = chunk.text, chunk.places[position]
    if chunk.places[position - 1] == at:
        return False
    before, here = text[at - 1], text[at]
    if not before.isalnum() or is_cjk(before) or is_cjk(here):
        return True
    return (before.islower() and here.isupper()) or (before.isdigit() and here.isalpha())


def may_end(chunk: Chunk, position: int) -> bool:
    """True when a word may end before the folded place ``position``."""
    if position >= len(chunk.folded):
        return True
    at = chunk.places[position - 1] + 1
    if at > chunk.places[position]:
        return False
    before, after = chunk.text[at - 1], chunk.text[at]
    if not after.isalnum() or is_cjk(after) or is_cjk(before):
        return True
    return (before.islower() and after.isupper()) or (before.isalpha() and after.isdigit())


def _heads_block(chunk: Chunk, position: int, length: int, has_colon: bool) -> bool:
    """A word like "Lieferant" heads a block when it stands alone or has a colon; inside a name it is a name."""
    start = chunk.places[position]
    if position > 0 and not (has_colon and _follows_break(chunk.text, start)):
        return False
    alone = length >= 0.9 * len(chunk.folded)
    several_words = " " in chunk.text[start : chunk.places[position + length - 1]].strip()
    return alone or has_colon or several_words


# "Rechnungsnummer (bitte bei Zahlung angeben): …"; what is in brackets with a digit may be the value.
_REMARK = re.compile(r"[(（][^()（）\d]{3,45}[)）]")


def _past_mark(text: str, end: int) -> tuple[int, bool]:
    """The place after the marks that follow a label, and whether one of them says "here comes the value"."""
    colon = False
    while end < len(text) and (text[end] in " :：#.=．;；)）(（\u00a0-–—_>*/\\?|" or text[end] == "\u200b"):
        if text[end] in "-–" and end + 1 < len(text) and text[end + 1].isdigit():
            break
        if (remark := _REMARK.match(text, end)) is not None:
            end = remark.end()
            continue
        if text[end] in "(（" and ")" not in text[:end] and (")" in text[end:] or "）" in text[end:]):
            break
        colon = colon or text[end] in ":：#"
        end += 1
    return end, colon


def _follows_break(text: str, start: int) -> bool:
    before = text[:start].rstrip()
    return not before or before[-1] in ":：;；|•●·,-–()（）/%=" or text[max(0, start - 2) : start].isspace()


class HitMap:
    """The labels of a document by place, to ask what stands beside and below them."""

    def __init__(self, layout: Layout, hits: Sequence[Hit], closed_rows: Mapping[int, object] | None = None) -> None:
        self.layout = layout
        self.hits = [hit for hit in hits if not closed_rows or hit.row not in closed_rows]
        self._closed = closed_rows or {}
        self._at: dict[tuple[int, int], list[Hit]] = defaultdict(list)
        for hit in self.hits:
            self._at[hit.row, hit.column].append(hit)

    def at(self, row: int, column: int) -> list[Hit]:
        return self._at.get((row, column), [])

    def of(self, target: str, role: Role = Role.FIELD) -> list[Hit]:
        return [hit for hit in self.hits if hit.meaning.role is role and hit.meaning.target == target]

    def regions(self, hit: Hit, where: Where) -> Iterator[Region]:
        """The pieces of text that stand ``where`` to the label, nearest first."""
        if where is Where.SAME_SPAN:
            yield from self._same_span(hit)
        elif where is Where.RIGHT:
            yield from self._right(hit)
        else:
            yield from self._below(hit)

    def _same_span(self, hit: Hit) -> Iterator[Region]:
        start, end = self._bounds(hit)
        if hit.chunk.text[start:end].strip():
            yield Region(Where.SAME_SPAN, hit.row, hit.column, hit.chunk, start, end, 1.0)

    def _bounds(self, hit: Hit) -> tuple[int, int]:
        """Where the value after a label begins and ends; "Rechnungsdatum / Leistungsdatum: …" is one value for two."""
        text, start = hit.chunk.text, hit.end
        for other in sorted(self.at(hit.row, hit.column), key=lambda item: item.start):
            if other.start < start:
                continue
            between = text[start : other.start].strip(" /=&,+-").casefold()
            if hit.has_colon or (between and between not in _AND):
                return start, other.start
            start = other.end
            if other.has_colon:
                following = [later.start for later in self.at(hit.row, hit.column) if later.start >= start]
                return start, min(following, default=len(text))
        return start, len(text)

    def _right(self, hit: Hit) -> Iterator[Region]:
        start, end = self._bounds(hit)
        if end < len(hit.chunk.text) or any(
            other.start >= start for other in self.at(hit.row, hit.column) if other is not hit
        ):
            return
        chunks = self.layout.rows[hit.row].chunks
        for column in range(hit.column + 1, len(chunks)):
            chunk = chunks[column]
            labels = self.at(hit.row, column)
            end = min((other.start for other in labels), default=len(chunk.text))
            gap = max(0.0, chunk.box.x0 - hit.chunk.box.x1)
            if chunk.text[:end].strip(" :："):
                yield Region(Where.RIGHT, hit.row, column, chunk, 0, end, max(0.4, 1.0 - gap / _RIGHT_REACH * 0.3))
            if labels:
                return

    def _below(self, hit: Hit) -> Iterator[Region]:
        page = self.layout.page(hit.chunk.page_no)
        label_box = hit.chunk.box_of(hit.start, hit.end)
        for row_no in range(hit.row + 1, len(self.layout.rows)):
            row = self.layout.rows[row_no]
            if row.page_no != hit.chunk.page_no:
                return
            drop = row.box.y0 - label_box.y1
            if drop > _BELOW_LINES * page.line or row_no in self._closed:
                return
            best = None
            for column, chunk in enumerate(row.chunks):
                if chunk.box.y0 - label_box.y0 < 0.4 * page.line:
                    continue
                aligned = abs(chunk.box.x0 - label_box.x0) < 1.5 * page.em
                share = chunk.box.overlap_x(label_box)
                if (share > 0 or aligned) and (best is None or share > best[0]):
                    best = (share, column, chunk)
            if best is None:
                continue
            _, column, chunk = best
            labels = self.at(row_no, column)
            end = min((other.start for other in labels), default=len(chunk.text))
            if chunk.text[:end].strip():
                nearness = max(0.5, 1.0 - max(0.0, drop) / (_BELOW_LINES * page.line) * 0.4)
                yield Region(Where.BELOW, row_no, column, chunk, 0, end, nearness)
            return

"""Leads: every value a label vouches for, with the label, the place and how sure the geometry makes it.

A lead is a candidate before the document has been looked at as a whole: its date may still have two readings, its
amount may still be the total or the amount due. The confidence of a lead is label × relation × form × reader.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hunyuan_ocr.extraction.context import Context, mask_dates
from hunyuan_ocr.extraction.labels import Hit, HitMap, Region, Role
from hunyuan_ocr.extraction.layout import Layout
from hunyuan_ocr.extraction.prompts import PromptProfile, ValueType, Where
from hunyuan_ocr.extraction.values import SCANNERS, Found, find_digits
from hunyuan_ocr.model.evidence import Candidate, Source
from hunyuan_ocr.model.geometry import Box, Reader
from hunyuan_ocr.model.parsing.currencies import find_currency

_RELATION = {Where.SAME_SPAN: 0.97, Where.RIGHT: 0.95, Where.BELOW: 0.86}
_SOURCE = {Reader.TEXT_LAYER: Source.TEXT, Reader.RAPIDOCR: Source.OCR, Reader.HUNYUAN: Source.OCR}
_WITHOUT_COLON = 0.97
_PATTERN = 0.72
_FAR_AMOUNT = 0.95
_UNKNOWN_WORDS = 0.62
_READER_FLOOR = 0.55


@dataclass(frozen=True, slots=True)
class Lead:
    """One possible value of one field and where it stands. ``place`` is (row, column, start) in the layout."""

    field_path: str
    raw: str
    norm: str
    readings: tuple[str, ...]
    confidence: float
    page_no: int
    box: Box
    label: str
    place: tuple[int, int, int]
    order: int = 0

    @property
    def is_ambiguous(self) -> bool:
        return len(self.readings) > 1


def reader_trust(confidence: float) -> float:
    """A reader's confidence, damped: it tells clean from torn, not right from wrong."""
    return _READER_FLOOR + (1 - _READER_FLOOR) * max(0.0, min(1.0, confidence))


def lead_of(path: str, region: Region, found: Found, strength: float, label: str, order: int = 0) -> Lead:
    start, end = region.start + found.start, region.start + found.end
    confidence = strength * found.quality * reader_trust(region.chunk.confidence)
    return Lead(
        path,
        found.raw,
        found.norm,
        found.readings,
        min(confidence, 0.99),
        region.chunk.page_no,
        region.chunk.box_of(start, end),
        label,
        (region.row, region.column, start),
        order,
    )


def collect_leads(hits: HitMap, profile: PromptProfile, context: Context) -> dict[str, list[Lead]]:
    """Leads of all labelled fields, best first within a field."""
    leads: dict[str, list[Lead]] = defaultdict(list)
    after_number = {_plain_word(word) for word in profile.date_after_number}
    for hit in hits.hits:
        if hit.meaning.role is not Role.FIELD or hit.meaning.type is None:
            continue
        for lead in _leads_of(hit, hits, context):
            leads[lead.field_path].append(lead)
            if lead.field_path == "invoice_number":
                dated = _date_after(lead, hit, hits, context, after_number)
                if dated is not None:
                    leads["issue_date"].append(dated)
    for lead in _pattern_leads(hits.layout, profile, context):
        leads[lead.field_path].append(lead)
    for found in leads.values():
        found.sort(key=lambda lead: -lead.confidence)
    return dict(leads)


def _pattern_leads(layout: Layout, profile: PromptProfile, context: Context) -> Iterator[Lead]:
    """Values that speak for themselves: every phrase is held against the field's patterns."""
    for path, spec in profile.fields.items():
        for pattern in spec.patterns:
            compiled = re.compile(pattern)
            for row_no, row in enumerate(layout.rows):
                for column, chunk in enumerate(row.chunks):
                    match = compiled.search(chunk.text)
                    if match is None:
                        continue
                    start, end = match.span(1)
                    region = Region(Where.SAME_SPAN, row_no, column, chunk, start, end, 1.0)
                    found = SCANNERS[spec.type](region.text, context)
                    if found:
                        yield lead_of(path, region, found[0], _PATTERN, "")


def _has_unknown_words(hit: Hit, region: Region) -> bool:
    """ "Total before discount 12.00": words after the label that it does not know may make it another amount."""
    end = len(hit.chunk.text)
    if region.where is Where.SAME_SPAN:
        digit = re.search(r"[-(]?\d", mask_dates(region.text))
        end = region.start + (digit.start() if digit else len(region.text))
    between = mask_dates(hit.chunk.text)[hit.end : end]
    words = re.findall(r"[^\W\d_]{4,}", re.sub(r"\([^)]*\)", " ", between))
    return any(find_currency(word) is None for word in words)


def _scanner_of(hit: Hit) -> Callable[[str, Context], list[Found]]:
    if hit.meaning.lengths:
        lengths = hit.meaning.lengths
        return lambda text, _: find_digits(text, lengths)
    return SCANNERS[hit.meaning.type or ValueType.TEXT]


def _leads_of(hit: Hit, hits: HitMap, context: Context) -> list[Lead]:
    scan = _scanner_of(hit)
    found_leads: list[Lead] = []
    order = 0
    for where in (Where.SAME_SPAN, Where.RIGHT, Where.BELOW):
        if where not in hit.meaning.where:
            continue
        if where is Where.BELOW and found_leads:
            break
        for region in hits.regions(hit, where):
            # Sums stand at the far edge of their row; anything else belongs close to its label.
            nearness = max(region.nearness, _FAR_AMOUNT) if hit.meaning.type is ValueType.MONEY else region.nearness
            strength = hit.weight * _RELATION[where] * nearness
            strength *= 1.0 if hit.has_colon else _WITHOUT_COLON
            if hit.meaning.type is ValueType.MONEY:
                strength *= _UNKNOWN_WORDS if _has_unknown_words(hit, region) else 1.0
            for found in scan(region.text, context):
                if hit.meaning.type is ValueType.TEXT and len(found.norm) > hit.meaning.max_length:
                    continue
                found_leads.append(lead_of(hit.target, region, found, strength, hit.meaning.text, order))
                order += 1
            if found_leads and hit.meaning.type is not ValueType.MONEY:
                return found_leads
            if where is Where.RIGHT and hit.meaning.type in (ValueType.NUMBER, ValueType.TEXT, ValueType.DIGITS):
                break
    return found_leads


def _plain_word(word: str) -> str:
    return word.casefold().strip(" .:,")


def _date_after(lead: Lead, hit: Hit, hits: HitMap, context: Context, words: set[str]) -> Lead | None:
    """The date in "Rechnung Nr. 471102 vom 05.03.2018", also when the line breaks before it."""
    row, column, start = lead.place
    chunk = hits.layout.rows[row].chunks[column]
    tail_start = start + len(lead.raw)
    tail = chunk.text[tail_start:]
    stripped = tail.strip(" ,(")
    regions: list[Region] = []
    first = _plain_word(stripped.split(" ")[0]) if stripped else ""
    if first and first in words | {""}:
        regions.append(Region(Where.SAME_SPAN, row, column, chunk, tail_start, len(chunk.text), 1.0))
        if _plain_word(stripped) in words:
            regions.extend(_next_line(hits.layout, row, column))
    elif not stripped and column + 1 < len(hits.layout.rows[row].chunks):
        follower = hits.layout.rows[row].chunks[column + 1]
        if _plain_word(follower.text.split(" ")[0]) in words:
            regions.append(Region(Where.RIGHT, row, column + 1, follower, 0, len(follower.text), 0.95))
    if not regions and not stripped:
        for region in _next_line(hits.layout, row, column):
            if _plain_word(region.text.split(" ")[0]) in words:
                regions.append(region)
    for region in regions:
        found = SCANNERS[ValueType.DATE](region.text, context)
        if found and found[0].start <= 16:
            return lead_of("issue_date", region, found[0], 0.95 * region.nearness, hit.meaning.text)
    return None


def _next_line(layout: Layout, row: int, column: int) -> Sequence[Region]:
    chunk = layout.rows[row].chunks[column]
    if row + 1 >= len(layout.rows) or layout.rows[row + 1].page_no != chunk.page_no:
        return ()
    below = layout.rows[row + 1]
    page = layout.page(chunk.page_no)
    if below.box.y0 - chunk.box.y1 > 2 * page.line:
        return ()
    return [
        Region(Where.BELOW, row + 1, place, other, 0, len(other.text), 0.95)
        for place, other in enumerate(below.chunks)
        if abs(other.box.x0 - chunk.box.x0) < 2 * page.em
    ]


def candidate_of(lead: Lead, layout: Layout, *, norm: str | None = None, confidence: float | None = None) -> Candidate:
    """The lead as evidence: source and reader from its page; ``norm`` where the document settled the reading."""
    page = layout.page(lead.page_no)
    return Candidate(
        field_path=lead.field_path,
        value_raw=lead.raw,
        value_norm=norm if norm is not None else lead.norm,
        source=_SOURCE[page.reader],
        confidence=round(min(0.999, confidence if confidence is not None else lead.confidence), 4),
        page_no=lead.page_no,
        box=lead.box,
        label=lead.label,
        reader_version=page.reader_version,
    )

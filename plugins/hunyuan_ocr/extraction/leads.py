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
_TITLE_WEIGHT = 0.85
_FEWEST_HEADINGS = 2
_TWO_ROWS = 5.0
_WEAK_LABEL = 0.7
_DATED_QUALITY = 0.85
# A number with letters and digits, or with several parts: INV-2024-0031, SE/23/0917.
_SERIAL = re.compile(r"(?=.*\d)(?=.*[A-Z/-])[A-Z0-9][A-Z0-9/.-]{4,24}")
_DATED = re.compile(r"(?:19|20)\d{2}-\d{1,2}-\d{1,2}")
_COMPACT_DATED = re.compile(r"(?:19|20)\d{6}")
_SAYS_NUMBER = re.compile(r"\b(?:no|num|number|numéro|numero|número)\b|nummer|nr\b|#|[nN][°º]", re.IGNORECASE)
_CHARGED_ON = re.compile(r"\b(?:over|auf|von|on|of|sur|sobre|su)\s*(?:[€$£]|[A-Z]{3})?\s*$", re.IGNORECASE)


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
                    # "#" may stand in a column of its own.
                    mark = "#" if column and row.chunks[column - 1].text.strip(" :") == "#" else ""
                    match = compiled.search(mark + chunk.text)
                    if match is None or match.start(1) < len(mark):
                        continue
                    start, end = (place - len(mark) for place in match.span(1))
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
        if where not in hit.meaning.where and not (where is Where.BELOW and _heads_sums(hit, hits)):
            continue
        if where is Where.BELOW and found_leads:
            break
        for region in hits.regions(hit, where):
            # Sums stand at the far edge of their row; anything else belongs close to its label.
            nearness = max(region.nearness, _FAR_AMOUNT) if hit.meaning.type is ValueType.MONEY else region.nearness
            strength = hit.weight * _RELATION[where] * nearness
            strength *= 1.0 if hit.has_colon else _WITHOUT_COLON
            if hit.meaning.type is ValueType.DATE and _is_qualified(hit, hits):
                strength *= _UNKNOWN_WORDS
            if hit.meaning.type is ValueType.MONEY:
                strength *= _UNKNOWN_WORDS if _has_unknown_words(hit, region) else 1.0
            for found in scan(region.text, context) or _dated_number(hit, region):
                if hit.meaning.type is ValueType.TEXT and len(found.norm) > hit.meaning.max_length:
                    continue
                if hit.meaning.type is ValueType.NUMBER and not _is_number_for(hit, hits, region, found):
                    continue
                found_leads.append(lead_of(hit.target, region, found, strength, hit.meaning.text, order))
                order += 1
            if found_leads and hit.meaning.type is not ValueType.MONEY:
                return found_leads
            if where is Where.RIGHT and hit.meaning.type in (ValueType.NUMBER, ValueType.TEXT, ValueType.DIGITS):
                break
    return found_leads if hit.meaning.type is not ValueType.MONEY else _without_bases(found_leads, hits.layout)


def _is_qualified(hit: Hit, hits: HitMap) -> bool:
    """ "Challan date": a bare "date" after a word nobody knows is probably the date of something else."""
    if hit.meaning.weight >= _TITLE_WEIGHT:
        return False
    known = [other for other in hits.at(hit.row, hit.column) if other.start < hit.start]
    before = hit.chunk.text[: hit.start].rstrip()
    return not known and before[-1:].isalpha()


def _heads_sums(hit: Hit, hits: HitMap) -> bool:
    """A row of headings over one row of sums: "Net   VAT   Total"."""
    row = hits.layout.rows[hit.row]
    columns = {
        other.column
        for column in range(len(row.chunks))
        for other in hits.at(hit.row, column)
        if other.meaning.type is ValueType.MONEY and other.start == 0
    }
    has_digits = any(character.isdigit() for chunk in row.chunks for character in chunk.text)
    if hit.meaning.type is not ValueType.MONEY or len(columns) < _FEWEST_HEADINGS or has_digits:
        return False
    # A second row of amounts makes it a table of rates or of items.
    page = hits.layout.page(row.page_no)
    below = [other for other in hits.layout.rows[hit.row + 2 : hit.row + 3] if other.page_no == row.page_no]
    return not any(
        chunk.box.y0 - hit.chunk.box.y1 < _TWO_ROWS * page.line and any(character.isdigit() for character in chunk.text)
        for other in below
        for chunk in other.chunks
    )


def _without_bases(leads: list[Lead], layout: Layout) -> list[Lead]:
    """ "VAT 21% over € 333.84   € 70.11": what the tax is charged on is not the tax, when another amount follows."""
    kept = []
    for lead in leads:
        row, column, start = lead.place
        before = layout.rows[row].chunks[column].text[:start]
        if lead is leads[-1] or _CHARGED_ON.search(before) is None:
            kept.append(lead)
    return kept


def _is_number_for(hit: Hit, hits: HitMap, region: Region, found: Found) -> bool:
    """A label that says little ("No", "Invoice") lends its name only to what is nothing but a number."""
    if hit.meaning.weight >= _TITLE_WEIGHT:
        return True
    is_below_title = region.where is Where.BELOW
    if (is_below_title or hit.meaning.weight < _WEAK_LABEL) and found.raw != region.text.strip(" :.#"):
        return False
    before = hit.chunk.text[: hit.start]
    for other in hits.at(hit.row, hit.column):
        if other.target == hit.target and other.end <= hit.start:
            before = before.replace(hit.chunk.text[other.start : other.end], "")
    if any(character.isalpha() for character in before):
        return False
    return not is_below_title or _SERIAL.fullmatch(found.raw) is not None


def _dated_number(hit: Hit, region: Region) -> list[Found]:
    """A number made of year, month and day, beside a label that says "number"."""
    text = region.text.strip(" :")
    is_dated = _COMPACT_DATED.fullmatch(text) or (region.where is not Where.BELOW and _DATED.fullmatch(text))
    if hit.target != "invoice_number" or not is_dated:
        return []
    if not _SAYS_NUMBER.search(hit.meaning.text):
        return []
    start = region.text.index(text)
    return [Found(start, start + len(text), text, text, _DATED_QUALITY, (text,))]


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

"""The issue date and the due date, with the order of day and month proven or not given.

A date in figures with two readings is settled by other dates of the document, by its language or country, or by the
due date and the payment terms beside it. If none of these settles it, it stays open: an ambiguous date is never
guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from hunyuan_ocr.extraction.context import Context
from hunyuan_ocr.extraction.layout import Layout
from hunyuan_ocr.extraction.leads import Lead
from hunyuan_ocr.model.parsing.dates import DateOrder, find_dates

_LONGEST_TERM = 130
_UNLABELLED = 0.62
_LETTER_HEAD = 420.0
_PLACE = re.compile(r"(?:[^\W\d_][^\d,:]{1,28},\s*)?(?:den|le|the|on|am|a|el|,)?\s*", re.IGNORECASE)
_TERM_DAYS = re.compile(
    r"(?:net|netto|terms?|within|innerhalb|sous|à|term|zahlungsziel|plazo|payable in|due in)\D{0,14}(\d{1,3})\s*"
    r"(?:days?|tage?n?|jours?|j\b|días|dagen|giorni|dias)|\bnet\s*(\d{1,3})\b|(\d{1,3})\s*(?:days?|tage|jours|días)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ChosenDate:
    """A settled date with the lead that carries it, or none and why. ``others`` are what it was chosen over."""

    value: date | None
    lead: Lead | None
    confidence: float
    others: tuple[Lead, ...]
    reason: str
    is_open: bool = False


def choose_dates(leads: Mapping[str, Sequence[Lead]], layout: Layout, context: Context) -> dict[str, ChosenDate]:
    """The dates of the document by field path; the order question is settled once for all of them."""
    issue = _ranked(leads.get("issue_date", ()))
    due = _ranked(leads.get("due_date", ()))
    order, why = context.date_order, context.date_order_reason
    related_order = _order_by_terms(issue, due, layout)
    if related_order is not None and context.date_order_reason != "another date of the document shows the order":
        order, why = related_order, "the due date and the terms fit only this order"
    if not issue:
        issue = _unlabelled(leads, layout)
    chosen = {"issue_date": _settle(issue, order, why), "due_date": _settle(due, order, why)}
    for path in ("delivery_date", "tax_point_date"):
        if leads.get(path):
            chosen[path] = _settle(_ranked(leads[path]), order, why)
    return chosen


def _ranked(leads: Sequence[Lead]) -> list[Lead]:
    return sorted(leads, key=lambda lead: (-round(lead.confidence, 2), lead.place))


def reading_in(lead: Lead, order: DateOrder | None) -> date | None:
    """The reading of a date lead: the only one, or the one of ``order``."""
    readings = [date.fromisoformat(reading) for reading in lead.readings]
    if len(readings) == 1:
        return readings[0]
    if order is None:
        return None
    settled = find_dates(lead.raw, order)
    if settled and settled[0].parsed.value in readings:
        return settled[0].parsed.value
    return None


def _settle(leads: Sequence[Lead], order: DateOrder | None, why: str) -> ChosenDate:
    if not leads:
        return ChosenDate(None, None, 0.0, (), "no date with its label was found")
    best = leads[0]
    value = reading_in(best, order)
    if value is None:
        for other in leads[1:]:
            # The same date printed a second time, with the month's name.
            if not other.is_ambiguous and other.readings[0] in best.readings and other.confidence > 0.4:
                return ChosenDate(date.fromisoformat(other.readings[0]), other, best.confidence, tuple(leads[:1]), "")
        return ChosenDate(None, best, 0.0, tuple(leads), "day and month could be either way round", is_open=True)
    confidence = best.confidence
    agreeing = sum(1 for lead in leads[1:] if reading_in(lead, order) == value)
    confidence = min(0.99, confidence + 0.03 * min(agreeing, 2))
    rivals = [lead for lead in leads[1:] if reading_in(lead, order) not in (None, value)]
    if rivals and rivals[0].confidence > best.confidence - 0.02 and not agreeing:
        confidence *= 0.8
    if best.is_ambiguous:
        confidence *= 0.97
    return ChosenDate(value, best, confidence, tuple(leads[1:5]), why if best.is_ambiguous else "")


def _order_by_terms(issue: Sequence[Lead], due: Sequence[Lead], layout: Layout) -> DateOrder | None:
    """The order in which the due date is not before the issue date and within the usual terms, if only one is so."""
    if not issue or not due:
        return None
    first, last = issue[0], due[0]
    if not (first.is_ambiguous or last.is_ambiguous):
        return None
    terms = _term_days(layout)
    fitting: dict[DateOrder, bool] = {}
    for order in (DateOrder.DMY, DateOrder.MDY):
        start, end = reading_in(first, order), reading_in(last, order)
        if start is None or end is None:
            continue
        days = (end - start).days
        if 0 <= days <= _LONGEST_TERM:
            fitting[order] = any(abs(days - term) <= 1 for term in terms)
    by_term = [order for order, fits in fitting.items() if fits]
    if len(by_term) == 1:
        return by_term[0]
    # One is a clear date and both orders of the other fit: not settled.
    return next(iter(fitting)) if len(fitting) == 1 else None


def _term_days(layout: Layout) -> set[int]:
    days: set[int] = set()
    for row in layout.rows:
        for match in _TERM_DAYS.finditer(row.text):
            days.add(int(next(group for group in match.groups() if group)))
    return {day for day in days if 0 < day <= 120}


def _is_letter_date(lead: Lead, layout: Layout) -> bool:
    """ "Brighton, 1 August 2024" alone on its line in the upper half: the date of a letter."""
    row, column, start = lead.place
    text = layout.rows[row].chunks[column].text
    rest = text[start:].strip().removeprefix(lead.raw)
    return lead.box.y0 < _LETTER_HEAD and not rest.strip(" .") and _PLACE.fullmatch(text[:start]) is not None


def _unlabelled(leads: Mapping[str, Sequence[Lead]], layout: Layout) -> list[Lead]:
    """The only date of the document that no label claims: receipts print it bare, beside the time."""
    claimed = {lead.place[:2] for field, found in leads.items() if field != "issue_date" for lead in found}
    found_leads: list[Lead] = []
    for row_no, row in enumerate(layout.rows):
        for column, chunk in enumerate(row.chunks):
            if (row_no, column) in claimed:
                continue
            for match in find_dates(chunk.text):
                if match.parsed.readings[0].year < 1995:
                    continue
                box = chunk.box_of(match.start, match.end)
                readings = tuple(reading.isoformat() for reading in match.parsed.readings)
                beside_time = re.search(r"\d{1,2}:\d{2}", chunk.text[match.end :] or row.text) is not None
                confidence = _UNLABELLED + (0.08 if beside_time else 0.0)
                found_leads.append(
                    Lead(
                        "issue_date",
                        chunk.text[match.start : match.end].strip(),
                        readings[0],
                        readings,
                        confidence,
                        chunk.page_no,
                        box,
                        "",
                        (row_no, column, match.start),
                    )
                )
    distinct = {frozenset(lead.readings) for lead in found_leads}
    if len(distinct) > 1:
        with_time = [lead for lead in found_leads if lead.confidence > _UNLABELLED]
        if len({frozenset(lead.readings) for lead in with_time}) == 1:
            return with_time
        headings = [lead for lead in found_leads if _is_letter_date(lead, layout)]
        return headings if len({frozenset(lead.readings) for lead in headings}) == 1 else []
    return sorted(found_leads, key=lambda lead: -lead.confidence)

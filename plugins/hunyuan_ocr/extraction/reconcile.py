"""From readings and candidates to one invoice with its evidence: pure, repeatable, without a model.

The page is read by labels and geometry; values from exact sources (XML, OFD, QR) win over the page; a vision model's
answer is only a vote. What has too little evidence is not given, and says why: a missing value costs a look, a wrong
one costs money.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from hunyuan_ocr.extraction.agreement import value_type
from hunyuan_ocr.extraction.amounts import ChosenAmount, Support, Totals
from hunyuan_ocr.extraction.assemble import build_invoice
from hunyuan_ocr.extraction.chinese import add_chinese_fields
from hunyuan_ocr.extraction.classify import Verdict, classify
from hunyuan_ocr.extraction.context import Context, read_context
from hunyuan_ocr.extraction.dates import ChosenDate, choose_dates
from hunyuan_ocr.extraction.labels import HitMap, LabelBook
from hunyuan_ocr.extraction.layout import Layout, build_layout
from hunyuan_ocr.extraction.leads import Lead, candidate_of, collect_leads
from hunyuan_ocr.extraction.ledger import MOST_OTHERS, Ledger
from hunyuan_ocr.extraction.line_choice import give_lines, read_lines
from hunyuan_ocr.extraction.line_items import build_tax_rows, sum_of, without_line_amounts
from hunyuan_ocr.extraction.model_votes import weigh_votes
from hunyuan_ocr.extraction.parties import collect_parties
from hunyuan_ocr.extraction.payment import add_payment
from hunyuan_ocr.extraction.prompts import PromptProfile, ValueType
from hunyuan_ocr.extraction.receipt_lines import tax_pairs
from hunyuan_ocr.extraction.sources import take_exact
from hunyuan_ocr.extraction.tables import Cell, TableReader
from hunyuan_ocr.extraction.totals import choose_totals
from hunyuan_ocr.extraction.values import decimal_text
from hunyuan_ocr.extraction.votes import votes_of
from hunyuan_ocr.model.answers import PageAnswer
from hunyuan_ocr.model.evidence import Candidate, FieldState, FieldValue, Source
from hunyuan_ocr.model.geometry import Reading
from hunyuan_ocr.model.invoice import DocumentKind, Invoice, TaxBreakdown
from hunyuan_ocr.model.parsing.cn_amount import parse_capital_amount

_TAX_SUMMARIES = (
    "gst summary",
    "tax summary",
    "sst summary",
    "tax code",
    "vat summary",
    "vat rate",
    "vat analysis",
    "rate % total gst",
    "rate % amount",
)
_INVOICE_KINDS = frozenset({
    DocumentKind.INVOICE,
    DocumentKind.CREDIT_NOTE,
    DocumentKind.DEBIT_NOTE,
    DocumentKind.RECEIPT,
})


@dataclass(frozen=True, slots=True)
class Extraction:
    """One document's invoice, the evidence of every field considered, the profile used, and what needs a look.

    ``review_reasons`` are ``CODE: sentence`` and hold no values.
    """

    invoice: Invoice
    field_values: tuple[FieldValue, ...]
    profile: str
    review_reasons: tuple[str, ...] = ()


def reconcile(
    readings: Iterable[Reading],
    *,
    profiles: Sequence[PromptProfile],
    candidates: Sequence[Candidate] = (),
    profile_name: str | None = None,
    answers: Sequence[PageAnswer] = (),
) -> Extraction:
    """The invoice of one document.

    ``readings`` are its pages as read (one reading per page; the first of a page wins), ``candidates`` what exact
    sources said, ``profile_name`` fixes the prompt profile (``ConfigurationError`` when there is none of that name),
    ``answers`` what a vision model answered about the pages: its field answers are votes (``model_votes``), its tables
    a last way to read the lines. Keys of a person's own are among the field values as ``extra.<key>``. Never raises
    for what stands on a page or in an answer.
    """
    pages = list(readings)
    layout = build_layout(pages)
    verdict = classify(layout, profiles, aspect=_aspect(pages), profile_name=profile_name)
    ledger = Ledger(layout)
    if verdict.is_undecided:
        verdict = _decided_by_arithmetic(layout, verdict, profiles)
    if verdict.kind in _INVOICE_KINDS:
        _read_page(ledger, verdict, profiles, answers)
    if _has_nothing_of_an_invoice(ledger, verdict):
        verdict = replace(verdict, kind=DocumentKind.OTHER, reasons=("it has no invoice title and no invoice number",))
        ledger = Ledger(layout)
    if verdict.kind not in _INVOICE_KINDS:
        for sentence in verdict.reasons:
            ledger.ask("NOT_AN_INVOICE", sentence)
    said = votes_of(answers, profiles, layout)
    kind, votes = take_exact(ledger.values, (*candidates, *said.candidates), verdict.kind, ledger.ask)
    weigh_votes(ledger, votes, verdict.profile, said.notes)
    ledger.values.update({value.field_path: value for value in said.extra_values})
    if kind in _INVOICE_KINDS:
        _ask_for_missing(ledger, kind)
    invoice = build_invoice(ledger.values, kind, ledger.lines, ledger.tax_rows, verdict.profile)
    return Extraction(invoice, tuple(ledger.values.values()), verdict.profile.code, tuple(ledger.reasons))


def _decided_by_arithmetic(layout: Layout, verdict: Verdict, profiles: Sequence[PromptProfile]) -> Verdict:
    """A page without a title is a receipt or an invoice when it has a date and a total that something else confirms:
    the arithmetic, what was paid, a number with its label, or the seller's tax id."""
    if verdict.has_other_title:
        return verdict
    trial = Ledger(layout)
    kind = verdict.profile.document_kind
    _read_page(trial, replace(verdict, kind=kind), profiles)
    total = trial.values.get("total_with_tax")
    if total is None or total.chosen is None or trial.norm("issue_date") is None:
        return verdict
    is_confirmed = bool(total.reason) or trial.norm("invoice_number") or trial.norm("seller.tax_id")
    return replace(verdict, kind=kind, reasons=()) if is_confirmed else verdict


def _has_nothing_of_an_invoice(ledger: Ledger, verdict: Verdict) -> bool:
    """Neither an invoice's title nor its number, and another title or no total: a delivery note with a tax id."""
    if verdict.kind is not DocumentKind.INVOICE or verdict.has_title or ledger.norm("invoice_number") is not None:
        return False
    return verdict.has_other_title or ledger.norm("total_with_tax") is None


def _aspect(pages: Sequence[Reading]) -> float:
    first = min(pages, key=lambda page: page.page_no, default=None)
    return first.height / first.width if first is not None and first.width > 0 else 1.414


def _read_page(
    ledger: Ledger, verdict: Verdict, profiles: Sequence[PromptProfile], answers: Sequence[PageAnswer] = ()
) -> None:
    profile, layout = verdict.profile, ledger.layout
    context = read_context(layout, profile)
    reader = TableReader(profile, profiles)
    table = reader.read(layout, context)
    closed = dict.fromkeys(table.header_rows) if table else {}
    hits = HitMap(layout, LabelBook(profile, profiles).hits(layout), closed)
    leads = collect_leads(hits, profile, context)
    table_top = min(table.header_rows) if table else None
    related = [other for other in profiles if other.code in profile.also_labels_of]
    party_leads = collect_parties(hits, leads, profile, related, context, verdict.kind, table_top)
    is_credit = verdict.kind is DocumentKind.CREDIT_NOTE

    _give_identifiers(ledger, leads, profile)
    _give_dates(ledger, choose_dates(leads, layout, context))
    for path in ("seller.name", "seller.tax_id", "buyer.name", "buyer.tax_id"):
        _give_best(ledger, path, party_leads.get(path, []))
    for path, found in party_leads.items():
        if path not in ledger.values and found:
            _give_best(ledger, path, found)

    lines, is_any_left_out = read_lines(reader, table, hits, context, leads, verdict.kind, answers)
    leads = without_line_amounts(leads, lines)
    support = Support(
        sum_of_lines=_absolute(sum_of(lines), is_credit),
        line_count=len(lines),
        in_words=_in_words(leads),
        pairs=tax_pairs(layout, context, _TAX_SUMMARIES) if verdict.kind is DocumentKind.RECEIPT else (),
    )
    totals = choose_totals(leads, support, is_credit=is_credit)
    _give_totals(ledger, totals, is_credit)
    give_lines(ledger, lines, totals, verdict.kind, is_any_left_out=is_any_left_out)
    for row, cell in build_tax_rows(hits, layout, context, totals.amount("total_tax"), is_credit):
        _give_tax_row(ledger, row if not is_credit else _negated(row), cell)
    _give_currency(ledger, leads, context)
    add_chinese_fields(ledger.values, layout, profile, ledger.ask)
    add_payment(ledger.values, layout)


def _absolute(amount: Decimal | None, is_credit: bool) -> Decimal | None:
    return abs(amount) if amount is not None and is_credit else amount


def _negated(row: TaxBreakdown) -> TaxBreakdown:
    return row.model_copy(
        update={
            "taxable_amount": None if row.taxable_amount is None else -abs(row.taxable_amount),
            "tax_amount": None if row.tax_amount is None else -abs(row.tax_amount),
        }
    )


def _in_words(leads: dict[str, list[Lead]]) -> Decimal | None:
    for lead in leads.get("cn_amount_in_words", ()):
        amount = parse_capital_amount(lead.raw)
        if amount is not None:
            return amount
    return None


def _others(ledger: Ledger, leads: Sequence[Lead]) -> list[Candidate]:
    return [candidate_of(lead, ledger.layout) for lead in leads[:MOST_OTHERS]]


def _give_identifiers(ledger: Ledger, leads: dict[str, list[Lead]], profile: PromptProfile) -> None:
    """Fields that stand for themselves: numbers, references, texts. Repeated values gain, equal rivals lose."""
    for path, found in leads.items():
        kind = value_type(path, profile)
        if kind in (ValueType.MONEY, ValueType.DATE, ValueType.TAX_ID, ValueType.CURRENCY) or "." in path:
            continue
        if found:
            _give_best(ledger, path, found)


def _give_best(ledger: Ledger, path: str, leads: Sequence[Lead]) -> None:
    if not leads:
        return
    strength: dict[str, float] = {}
    for lead in leads:
        known = strength.get(lead.norm)
        strength[lead.norm] = lead.confidence if known is None else min(0.99, max(known, lead.confidence) + 0.03)
    ranked = sorted(leads, key=lambda lead: (-round(strength[lead.norm], 3), lead.place))
    best = ranked[0]
    confidence = strength[best.norm]
    rivals = [lead for lead in ranked if lead.norm != best.norm]
    if rivals and strength[rivals[0].norm] > 0.97 * confidence:
        confidence *= 0.85
    ledger.give(candidate_of(best, ledger.layout, confidence=confidence), _others(ledger, rivals))


def _give_dates(ledger: Ledger, chosen: dict[str, ChosenDate]) -> None:
    for path, entry in chosen.items():
        if entry.value is None or entry.lead is None:
            ledger.withhold(path, entry.reason, _others(ledger, entry.others), is_open=entry.is_open)
            if entry.is_open:
                ledger.ask("DATE_AMBIGUOUS", f"the {path.replace('_', ' ')} is ambiguous (day or month first)")
            continue
        candidate = candidate_of(entry.lead, ledger.layout, norm=entry.value.isoformat(), confidence=entry.confidence)
        if candidate.field_path != path:
            continue
        ledger.give(candidate, _others(ledger, entry.others), entry.reason)


def _give_totals(ledger: Ledger, totals: Totals, is_credit: bool) -> None:
    for path, chosen in totals.chosen.items():
        candidate = _amount_candidate(ledger, path, chosen, is_credit)
        others = [candidate_of(option.lead, ledger.layout) for option in chosen.others if option.lead is not None]
        ledger.give(candidate, others, chosen.reason)
    for doubt in totals.doubts:
        ledger.ask("TOTAL_UNCLEAR", doubt)


def _amount_candidate(ledger: Ledger, path: str, chosen: ChosenAmount, is_credit: bool) -> Candidate:
    option = chosen.option
    amount = -abs(option.amount) if is_credit and option.amount else option.amount
    norm = decimal_text(amount)
    if option.lead is None or option.parts:
        place = option.lead
        return Candidate(
            path,
            " + ".join(part.raw for part in option.parts),
            norm,
            Source.RULE,
            round(chosen.confidence, 4),
            place.page_no if place else None,
            place.box if place else None,
        )
    found = candidate_of(option.lead, ledger.layout, norm=norm, confidence=chosen.confidence)
    return replace(found, field_path=path)


def _give_tax_row(ledger: Ledger, row: TaxBreakdown, cell: Cell) -> None:
    order = len(ledger.tax_rows)
    ledger.tax_rows.append(row)
    page = ledger.layout.page(cell.page_no)
    source = Source.OCR if page.is_ocr else Source.TEXT
    for name in ("rate", "taxable_amount", "tax_amount"):
        amount = getattr(row, name)
        if amount is not None:
            path = f"tax_breakdown[{order}].{name}"
            trust = round(0.95 * cell.confidence, 4)
            ledger.values[path] = FieldValue(
                path,
                FieldState.PRESENT,
                Candidate(path, cell.text, decimal_text(amount), source, trust, cell.page_no, cell.box),
            )


def _give_currency(ledger: Ledger, leads: dict[str, list[Lead]], context: Context) -> None:
    labelled = [lead for lead in leads.get("currency", ()) if lead.confidence >= 0.7]
    if labelled:
        ledger.give(candidate_of(labelled[0], ledger.layout))
    elif context.currency is not None:
        source = Source.RULE if not context.currency_is_printed else Source.OCR if ledger.layout.is_ocr else Source.TEXT
        reason = "" if context.currency_is_printed else "not printed: the currency of the document's country"
        confidence = 0.93 if context.currency_is_printed else 0.75
        ledger.give(Candidate("currency", context.currency, context.currency, source, confidence), (), reason)
    else:
        ledger.withhold("currency", "no code is printed, and the symbol does not settle it")


def _ask_for_missing(ledger: Ledger, kind: DocumentKind) -> None:
    required = ["issue_date", "total_with_tax", "seller.name"]
    if kind is not DocumentKind.RECEIPT:
        required.insert(0, "invoice_number")
    for path in required:
        if ledger.norm(path) is None:
            known = ledger.values.get(path)
            why = known.reason if known and known.reason else "not found beside a label"
            ledger.ask("MISSING_" + path.replace(".", "_").upper(), f"{path}: {why}")

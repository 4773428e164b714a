"""What to ask a vision model next about a page, and whether what it read will do.

Every page is asked for its text with boxes first: that is the evidence. What the evidence shows decides the rest: the
fields of the profile the page is recognised by, the table where the lines found by geometry do not add up, or, for a
profile that keeps text, the parsed or translated document. A page that is no invoice is asked nothing more.

A page read badly is worth another picture only for a reason that picture can mend, so every verdict names its remedies,
and a page that simply has nothing to say gets one of them and no more. This module asks nobody, renders nothing and
chooses no values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from itertools import product
from typing import Literal

from hunyuan_ocr.engines.spec import Family
from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.extraction.answers import clean_text, parse_spotting, problem_of
from hunyuan_ocr.extraction.classify import classify
from hunyuan_ocr.extraction.layout import build_layout
from hunyuan_ocr.extraction.legibility import LabelWords, Legibility, measure
from hunyuan_ocr.extraction.prompts import PromptProfile, invoice_profiles
from hunyuan_ocr.extraction.questions import clean_instruction, clean_keys, field_question, page_prompt
from hunyuan_ocr.extraction.reconcile import Extraction, reconcile
from hunyuan_ocr.model.answers import PageAnswer, Task
from hunyuan_ocr.model.evidence import FieldState
from hunyuan_ocr.model.geometry import Reader, Reading, Span
from hunyuan_ocr.model.invoice import DocumentKind, Invoice
from hunyuan_ocr.readers.examination import Judgement, PageQuestion, Remedy

_INVOICE_KINDS = frozenset({
    DocumentKind.INVOICE,
    DocumentKind.CREDIT_NOTE,
    DocumentKind.DEBIT_NOTE,
    DocumentKind.RECEIPT,
})
_SUMS = ("sum_of_lines", "total_without_tax", "total_with_tax")
_LINE_DOUBTS = ("LINES_UNREADABLE", "LINES_DO_NOT_ADD_UP")
_AMOUNT_DOUBTS = ("TOTAL_UNCLEAR", "LINES_DO_NOT_ADD_UP")
_TEXT_TASKS = (Task.PARSING, Task.TRANSLATION)

_SIDEWAYS = 0.5
_FEW_LETTERS = 40
_FEW_SPANS = 6
_MOSTLY_SINGLES = 0.5
_FEW_WORDS = 0.35
_LABELS_OF_A_PAGE = 3  # fewer are on a page by chance
_SMALL_PRINT = 11.0  # pixels; at 200 dpi 6-point type stands about 12 high
_MOST_LARGER_PICTURES = 2
_LOOP = 8
_NEAR = Decimal("0.02")

Arithmetic = Literal["proven", "failed", "unknown"]
_WORTH: dict[Arithmetic, float] = {"proven": 2.0, "unknown": 1.0, "failed": 0.7}
_REASONS = {
    "repetition": "the answer repeats itself without end",
    "truncated": "the answer was cut off",
    "off_format": "the answer has no usable boxes",
}


class PageExaminer:
    """Decides about pages; knows nothing of earlier ones, so one examiner serves all, from any thread.

    ``profile_name`` fixes the profile (of the source or the run), ``extra_keys`` are asked for besides the profile's,
    ``instruction`` replaces the official words of the field question, or of the text question of a profile that keeps
    text. ``value_penalty`` is the repetition penalty of field and table questions.

    :raises ConfigurationError: there is no such profile, or extra keys or instruction are too long.
    """

    def __init__(
        self,
        profiles: Sequence[PromptProfile],
        family: Family,
        *,
        profile_name: str | None = None,
        extra_keys: Sequence[str] = (),
        instruction: str = "",
        value_penalty: float = 1.0,
    ) -> None:
        self._profiles = {profile.code: profile for profile in profiles}
        if profile_name and profile_name not in self._profiles:
            known = ", ".join(sorted(self._profiles))
            raise ConfigurationError(f"there is no prompt profile {profile_name}. Use one of: {known}.")
        self._fixed = self._profiles[profile_name] if profile_name else None
        self._family = family
        self._extra_keys = clean_keys(extra_keys)
        self._instruction = clean_instruction(instruction)
        self._value_penalty = value_penalty
        self._labels = LabelWords(profiles)
        # The same reading is looked at several times in a row; reconciling it takes 20 to 60 ms.
        self._extraction = lru_cache(maxsize=512)(self._reconciled)

    @property
    def question_key(self) -> str:
        """Names what people fixed for all pages that makes another reading of them; empty when nothing does.

        A fixed profile that keeps text belongs to it: its text is not in an earlier reading. One that reads fields does
        not: the page is seen alike, and reconciling it anew is free.
        """
        keeps_text = self._fixed is not None and not self._fixed.makes_invoices
        parts = {
            "profile": self._fixed.code if self._fixed and keeps_text else "",
            "keys": "\n".join(self._extra_keys),
            "instruction": self._instruction,
            "penalty": "" if self._value_penalty == 1.0 else str(self._value_penalty),
        }
        return "\n".join(f"{name}={said}" for name, said in parts.items() if said)

    def first(self) -> PageQuestion:
        """The question every page is asked: all text with its boxes."""
        code = self._fixed.code if self._fixed else ""
        return PageQuestion(Task.SPOTTING, page_prompt(Task.SPOTTING, self._family, self._fixed), code)

    def follow_ups(self, reading: Reading, answers: Sequence[PageAnswer]) -> Sequence[PageQuestion]:
        """What to ask next about the picture this reading was taken from; nothing when all is asked.

        ``answers`` are those about this picture so far. To be called again after every round of answers.
        """
        asked = {answer.task for answer in answers}
        if not any(span.text.strip() for span in reading.spans) or self._measure(reading, answers).tall > _SIDEWAYS:
            return ()
        if self._fixed is not None and not self._fixed.makes_invoices:
            return () if self._fixed.task in asked else (self._text_question(self._fixed),)
        profile = self._profile_of(reading)
        if profile is None:
            return ()
        if Task.FIELDS not in asked:
            return (self._field_question(profile),)
        if Task.TABLE not in asked and self._needs_table(profile, self._extraction(reading)):
            prompt = page_prompt(Task.TABLE, self._family, profile, value_penalty=self._value_penalty)
            return (PageQuestion(Task.TABLE, prompt, profile.code),)
        return ()

    def read_spotting(
        self,
        answer_text: str,
        finish_reason: str,
        *,
        page_no: int,
        width: float,
        height: float,
        rotation: int,
        reader_version: str,
    ) -> tuple[Reading, str]:
        """The reading of a spotting answer, and what is wrong with the answer (``PageAnswer.problem``).

        ``width`` and ``height`` are those of the picture as sent, ``rotation`` how it was turned. Boxes in an unknown
        unit and the tail of an answer that loops are left out: they are no evidence.
        """
        answer = parse_spotting(answer_text)
        problem = problem_of(answer_text, finish_reason) or answer.problem
        spans = () if answer.problem == "off_format" else answer.spans
        if problem == "repetition":
            spans = _before_the_loop(spans)
        reading = Reading(
            page_no=page_no,
            reader=Reader.HUNYUAN,
            reader_version=reader_version,
            spans=spans,
            width=width,
            height=height,
            rotation=rotation,
        )
        return reading, problem

    def judge(self, reading: Reading, answers: Sequence[PageAnswer]) -> Judgement:
        """Whether the picture will do; ``answers`` are those about it, the spotting answer among them.

        Takes as long as reconciling the page (tens of milliseconds): not for an event loop.
        """
        spotting = next((answer for answer in reversed(answers) if answer.task is Task.SPOTTING), None)
        problem = spotting.problem if spotting else ""
        attempt = spotting.attempt if spotting else 1
        seen = self._measure(reading, answers)
        arithmetic: Arithmetic = "unknown"
        is_invoice = False
        if seen.letters and self._reads_invoices:
            extraction = self._extraction(reading)
            is_invoice = extraction.invoice.document_kind in _INVOICE_KINDS
            arithmetic = _arithmetic_of(extraction) if is_invoice else "unknown"
        score = seen.letters * (1.0 + seen.labels) * _WORTH[arithmetic]
        score *= (0.5 if problem else 1.0) * (0.5 if seen.is_upside_down else 1.0)
        reason, wants = self._what_is_wrong(seen, problem, attempt, reading.rotation, is_invoice, arithmetic)
        return Judgement(round(score, 3), not reason, reason, wants)

    def _what_is_wrong(
        self, seen: Legibility, problem: str, attempt: int, rotation: int, is_invoice: bool, arithmetic: Arithmetic
    ) -> tuple[str, tuple[Remedy, ...]]:
        is_first = attempt <= 1
        if seen.spans == 0 and problem not in _REASONS:
            # An empty answer is not yet an empty page; a second one is, and costs no third.
            return "no text was read", (Remedy.MORE_PIXELS,) if is_first else ()
        if seen.tall > _SIDEWAYS:
            turns = (270, 90) if seen.runs_down else (90, 270)
            return "the text runs up or down the page", _turned(rotation, *turns)
        if seen.is_upside_down:
            return "the page stands on its head", _turned(rotation, 180)
        if arithmetic == "proven":
            # Net, tax, words or lines agree with the total: no accident of a page misread.
            return "", ()
        if problem in _REASONS:
            # A changed picture often ends a loop. What was read before it tells whether a turn can help.
            is_readable = seen.labels >= _LABELS_OF_A_PAGE or seen.letters >= _FEW_LETTERS
            if is_readable and not _is_gibberish(seen):
                return _REASONS[problem], (Remedy.MORE_PIXELS,) if is_first else ()
            return _REASONS[problem], _turned(rotation, 180, 90, 270)
        if seen.labels == 0 and _is_gibberish(seen):
            return "what was read is no language", _turned(rotation, 180, 90, 270)
        if seen.labels == 0 and seen.letters < _FEW_LETTERS:
            return "hardly any text was read", (Remedy.MORE_PIXELS,) if is_first else ()
        if is_invoice and arithmetic == "failed":
            return "the amounts do not add up", (Remedy.MORE_PIXELS,) if is_first else ()
        may_hold_fields = is_invoice or (self._reads_invoices and is_first and seen.labels >= _LABELS_OF_A_PAGE)
        if may_hold_fields and 0 < seen.text_height < _SMALL_PRINT:
            return "the print is too small", (Remedy.MORE_PIXELS,) if attempt <= _MOST_LARGER_PICTURES else ()
        return "", ()

    @property
    def _reads_invoices(self) -> bool:
        return self._fixed is None or self._fixed.makes_invoices

    def _measure(self, reading: Reading, answers: Sequence[PageAnswer]) -> Legibility:
        sent = next((answer.picture_height for answer in reversed(answers) if answer.task is Task.SPOTTING), 0)
        return measure(reading, self._labels, sent or round(reading.height))

    def _reconciled(self, reading: Reading) -> Extraction:
        # As any reader's page: reconcile trusts a model's reading less until its votes are in, and here only the page's
        # own arithmetic is asked for.
        code = self._fixed.code if self._fixed else None
        reading = replace(reading, reader=Reader.RAPIDOCR)
        return reconcile([reading], profiles=tuple(self._profiles.values()), profile_name=code)

    def _profile_of(self, reading: Reading) -> PromptProfile | None:
        """The profile to ask by. A page that continues another has no title: only a fixed profile asks about it."""
        extraction = self._extraction(reading)
        if extraction.invoice.document_kind in _INVOICE_KINDS:
            return self._profiles[extraction.profile]
        if self._fixed is None:
            return None
        aspect = reading.height / reading.width if reading.width > 0 and reading.height > 0 else 1.414
        profiles = invoice_profiles(self._profiles.values())
        verdict = classify(build_layout([reading]), profiles, aspect=aspect, profile_name=self._fixed.code)
        return self._fixed if verdict.is_undecided or verdict.kind in _INVOICE_KINDS else None

    def _field_question(self, profile: PromptProfile) -> PageQuestion:
        question = field_question(
            profile,
            self._family,
            extra_keys=self._extra_keys,
            instruction=self._instruction,
            value_penalty=self._value_penalty,
        )
        return PageQuestion(Task.FIELDS, question.prompt, profile.code, question.keys)

    def _text_question(self, profile: PromptProfile) -> PageQuestion:
        prompt = page_prompt(profile.task, self._family, profile, instruction=self._instruction)
        return PageQuestion(profile.task, prompt, profile.code)

    def _needs_table(self, profile: PromptProfile, extraction: Extraction) -> bool:
        """Lines are printed in a table of this kind of document, the sums were found, and the lines do not match."""
        related = (profile, *(other for other in self._profiles.values() if other.code in profile.also_labels_of))
        if not any(other.table.columns for other in related):
            return False
        if all(getattr(extraction.invoice, path) is None for path in _SUMS):
            return False
        return not extraction.invoice.lines or _has_reason(extraction, _LINE_DOUBTS)


def document_text(answers: Sequence[PageAnswer]) -> str:
    """The parsed or translated document as Markdown: the kept text answers, page by page; empty without any."""
    kept = [answer for answer in answers if answer.is_kept and answer.task in _TEXT_TASKS]
    return "\n\n".join(clean_text(answer.text) for answer in sorted(kept, key=lambda answer: answer.page_no)).strip()


def _turned(rotation: int, *degrees: int) -> tuple[Remedy, ...]:
    return tuple(Remedy.turned(rotation + more) for more in degrees)


def _is_gibberish(seen: Legibility) -> bool:
    if seen.spans < _FEW_SPANS:
        return False
    return seen.singles > _MOSTLY_SINGLES or seen.words < _FEW_WORDS * seen.letters


def _arithmetic_of(extraction: Extraction) -> Arithmetic:
    total = next((value for value in extraction.field_values if value.field_path == "total_with_tax"), None)
    if total is None or total.state is FieldState.ABSENT:
        return "unknown"
    if total.chosen is None or _contradicts_itself(extraction.invoice):
        return "failed"
    if total.reason:  # reconcile gives a total a reason only when something confirms it
        return "proven"
    return "failed" if _has_reason(extraction, _AMOUNT_DOUBTS) else "unknown"


def _contradicts_itself(invoice: Invoice) -> bool:
    """Net, tax and total are printed and no discount, charge or rounding explains their difference."""
    net, tax, total = invoice.total_without_tax, invoice.total_tax, invoice.total_with_tax
    if net is None or tax is None or total is None:
        return False
    rounding, charges, allowances = (
        amount or Decimal(0) for amount in (invoice.rounding_amount, invoice.charges_total, invoice.allowances_total)
    )
    steps = product((Decimal(0), rounding, -rounding), (Decimal(0), charges), (Decimal(0), -allowances))
    return all(abs(net + tax + sum(step) - total) > _NEAR for step in steps)


def _has_reason(extraction: Extraction, codes: tuple[str, ...]) -> bool:
    return any(reason.partition(":")[0] in codes for reason in extraction.review_reasons)


def _before_the_loop(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """The spans without those a looping answer ends in: texts of its tail that occur over and over."""
    times = Counter(span.text for span in spans)
    looping = {span.text for span in spans[-_LOOP:] if times[span.text] >= _LOOP}
    kept = list(spans)
    while kept and kept[-1].text in looping:
        kept.pop()
    return tuple(kept)

"""A fake vision model over the project's own sample invoices: honest answers, and answers and pages with one error.

The pages are the samples' own text with its boxes, taken as if the model had spotted it. An honest answer copies what
is printed, in the habits the published outputs show (padded dates, no spaces, a sign of currency after the amount).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from random import Random
from typing import Any

from demo.samples import recipes
from demo.samples.recipes import LAYOUTS, Recipe
from hunyuan_ocr.engines.spec import Family
from hunyuan_ocr.extraction.agreement import identifier_key, value_type
from hunyuan_ocr.extraction.layout import build_layout
from hunyuan_ocr.extraction.printed import PrintedText
from hunyuan_ocr.extraction.prompts import PromptProfile, ValueType
from hunyuan_ocr.extraction.proofs import passes_check
from hunyuan_ocr.extraction.questions import FieldQuestion, field_question
from hunyuan_ocr.extraction.reconcile import Extraction, reconcile
from hunyuan_ocr.model.answers import PageAnswer, Task
from hunyuan_ocr.model.evidence import Candidate
from hunyuan_ocr.model.findings import Outcome
from hunyuan_ocr.model.geometry import Box, Reader, Reading, Span
from hunyuan_ocr.readers.pdf_text import text_layer
from hunyuan_ocr.validation.facts import facts_of
from hunyuan_ocr.validation.outcome import decide
from hunyuan_ocr.validation.rules import run_rules

DAY = date(2026, 9, 1)
ENGINE = "fake-model@1"
TRUTH_PATHS = {
    "invoice_number": "invoice_number",
    "invoice_code": "cn_invoice_code",
    "issue_date": "issue_date",
    "due_date": "due_date",
    "currency": "currency",
    "net_amount": "total_without_tax",
    "tax_amount": "total_tax",
    "total_amount": "total_with_tax",
    "seller_name": "seller.name",
    "seller_tax_id": "seller.tax_id",
    "buyer_name": "buyer.name",
    "buyer_tax_id": "buyer.tax_id",
    "order_number": "purchase_order_ref",
    "check_code": "cn_check_code",
    "machine_number": "cn_machine_number",
}
CODES = re.compile(r"MODEL_[A-Z_]+|LABEL_ECHO|TAX_ID_UNSURE")
_AMOUNTS = ("total_with_tax", "total_without_tax", "total_tax")


@dataclass(frozen=True)
class Verdict:
    """What became of one case: staged or not, which values would be wrong, and every reason that was given."""

    is_staged: bool
    wrong: tuple[str, ...]
    reasons: tuple[str, ...]
    extraction: Extraction

    @property
    def is_wrong_staged(self) -> bool:
        return self.is_staged and bool(self.wrong)

    def codes_about(self, path: str) -> set[str]:
        """The model's error codes in the reasons of a field and in the review reasons that name it."""
        texts = [value.reason for value in self.extraction.field_values if value.field_path == path]
        texts += [reason for reason in self.extraction.review_reasons if path in reason]
        return {code for text in texts for code in CODES.findall(text)}


@dataclass(frozen=True)
class Sheet:
    """One sample as the model sees it. ``truth`` is by field path; ``printed`` where its values stand."""

    name: str
    readings: tuple[Reading, ...]
    truth: dict[str, str]
    line_nets: tuple[Decimal, ...]
    profile: PromptProfile
    profiles: tuple[PromptProfile, ...]
    printed: dict[str, Candidate]

    @cached_property
    def question(self) -> FieldQuestion:
        return field_question(self.profile, Family.V1_5)

    @cached_property
    def text(self) -> PrintedText:
        return PrintedText(build_layout(self.readings))

    @property
    def asked(self) -> dict[str, str]:
        """Field path → the key that asks for it, for keys that stand for one field."""
        return {paths[0]: key for key, paths in self.question.paths.items() if len(paths) == 1}

    def honest(self, rng: Random) -> dict[str, str]:
        """The right answer to every key: what is printed, or the string "None"."""
        said = dict.fromkeys(self.question.keys, "None")
        for path, key in self.asked.items():
            if path in self.printed:
                said[key] = _in_its_habits(self.printed[path].value_raw, value_type(path, self.profile), rng)
        return said

    def answers(self, said: dict[str, str]) -> tuple[PageAnswer, ...]:
        """The field answer of every page: all on the first, nothing on the others."""
        nothing = dict.fromkeys(self.question.keys, "None")
        return tuple(
            page_answer(page.page_no, Task.FIELDS, fenced(said if order == 0 else nothing), self.question.keys,
                        self.profile.code)
            for order, page in enumerate(self.readings)
        )  # fmt: skip

    def verdict(self, answers: Sequence[PageAnswer], readings: Sequence[Reading] | None = None) -> Verdict:
        """The whole chain on this page: reconcile, the rules, the decision; compared with the truth."""
        extraction = reconcile(
            self.readings if readings is None else readings,
            profiles=self.profiles,
            profile_name=self.profile.code,
            answers=answers,
        )
        facts = facts_of(self.name, DAY, extraction.field_values, review_reasons=extraction.review_reasons)
        findings = run_rules(extraction.invoice, facts)
        decision = decide(findings)
        failed = tuple(finding.rule_id for finding in findings if finding.outcome is Outcome.FAILED)
        return Verdict(decision.is_staged, self._wrong(extraction), failed, extraction)

    def _wrong(self, extraction: Extraction) -> tuple[str, ...]:
        lines = extraction.invoice.lines
        nets = sorted(abs(line.net_amount or line.gross_amount or Decimal(0)) for line in lines)
        is_wrong_line = bool(lines) and nets != sorted(map(abs, self.line_nets))
        return (*wrong_values(extraction, self.truth), *(("lines",) if is_wrong_line else ()))


def fenced(said: dict[str, str]) -> str:
    return "```json\n" + json.dumps(said, ensure_ascii=False, indent=4) + "\n```"


def page_answer(page_no: int, task: Task, text: str, keys: tuple[str, ...] = (), profile: str = "") -> PageAnswer:
    return PageAnswer(page_no, 1, task, text, ENGINE, "0" * 64, "1" * 64, 1664, 2336, profile=profile, keys=keys)


def _value_of(extraction: Extraction, path: str) -> Any:
    value: Any = extraction.invoice
    for name in path.split("."):
        value = getattr(value, name)
    return value


def wrong_values(extraction: Extraction, truth: dict[str, str]) -> tuple[str, ...]:
    """Paths whose value is given and is not the truth; a value the document does not have is wrong too."""
    wrong = []
    for path in TRUTH_PATHS.values():
        given, known = _value_of(extraction, path), truth.get(path)
        if given is None:
            continue
        if isinstance(given, Decimal):
            is_right = known is not None and abs(given) == abs(Decimal(known))
        else:
            is_right = known is not None and identifier_key(str(given)) == identifier_key(known)
        if not is_right:
            wrong.append(path)
    return tuple(wrong)


def _in_its_habits(raw: str, kind: ValueType, rng: Random) -> str:
    habit = rng.random()
    if kind is ValueType.MONEY and habit < 0.3 and raw[:1] in "¥￥":
        return "￥" + raw[1:] + "元"
    if kind in (ValueType.TAX_ID, ValueType.DIGITS) and habit < 0.5:
        return raw.replace(" ", "")
    if kind is ValueType.DATE and habit < 0.5:
        return re.sub(r"(?<!\d)(\d)(?=[./])", r"0\1", raw)
    if kind is ValueType.TEXT and habit < 0.2:
        return raw.replace(" ", "\n", 1)
    return raw


def _in_whole_units(reading: Reading) -> Reading:
    """Boxes as the model gives them: whole thousandths of the page."""
    spans = (
        replace(span, box=Box(*(float(round(edge)) for edge in (span.box.x0, span.box.y0, span.box.x1, span.box.y1))))
        for span in reading.spans
    )
    return replace(reading, spans=tuple(spans))


def sheets(profiles: tuple[PromptProfile, ...], copies: int, seed: int = 7) -> Iterator[Sheet]:
    """Good samples of every layout that are read right and staged without any vote."""
    for copy in range(copies):
        for layout in LAYOUTS:
            recipe = Recipe(f"{layout}_{copy}", layout, "pdf", line_count=3 if copy % 2 else None)
            facts = recipes.facts_of(recipe, seed, DAY)
            known = facts.ground_truth()
            truth = {path: known[name] for name, path in TRUTH_PATHS.items() if name in known}
            pages = text_layer(recipes.draw(recipe, facts, seed))
            seen = [_in_whole_units(page.reading) for page in pages if page.reading is not None]
            # What the same page is worth to a reader that gives no votes.
            plain = [replace(reading, reader=Reader.RAPIDOCR) for reading in seen]
            first = reconcile(plain, profiles=profiles)
            profile = next(profile for profile in profiles if profile.code == first.profile)
            printed = {value.field_path: value.chosen for value in first.field_values if value.chosen is not None}
            readings = tuple(replace(page, reader=Reader.HUNYUAN, reader_version=ENGINE) for page in seen)
            nets = tuple(line.net for line in facts.lines)
            sheet = Sheet(recipe.name, readings, truth, nets, profile, profiles, printed)
            verdict = sheet.verdict((), plain)
            if verdict.is_staged and not verdict.wrong:
                yield sheet


# What is planted. Each gives (field path, answers, readings), or nothing where the sheet has no room for it.

Case = tuple[str, tuple[PageAnswer, ...], tuple[Reading, ...]]
Plant = Callable[[Sheet, Random], Case | None]


def _fields(sheet: Sheet, *, of: Callable[[str, ValueType], bool] = lambda path, kind: True) -> list[str]:
    """Fields that are asked for, printed and known."""
    return [
        path
        for path in sheet.asked
        if path in sheet.printed and path in sheet.truth and of(path, value_type(path, sheet.profile))
    ]


def _has_digits(path: str, kind: ValueType) -> bool:
    return kind not in (ValueType.TEXT, ValueType.CURRENCY, ValueType.CAPITAL_AMOUNT)


def _with(sheet: Sheet, rng: Random, path: str, value: str) -> Case:
    return path, sheet.answers(sheet.honest(rng) | {sheet.asked[path]: value}), sheet.readings


def drifted(text: str, rng: Random) -> str:
    """One digit replaced by another; sometimes lost, or changed places with its neighbour."""
    places = [place for place, character in enumerate(text) if character.isdigit()]
    neighbours = [place for place in places if place + 1 in places and text[place] != text[place + 1]]
    habit = rng.random()
    if habit < 0.15 and neighbours:
        place = rng.choice(neighbours)
        return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    place = rng.choice(places)
    # A lost zero may leave the same amount.
    if habit < 0.25 and len(places) > 1 and text[place] != "0":
        return text[:place] + text[place + 1 :]
    other = rng.choice([digit for digit in "0123456789" if digit != text[place]])
    return text[:place] + other + text[place + 1 :]


def _made_up(path: str, kind: ValueType, rng: Random) -> str:
    if kind is ValueType.MONEY:
        return f"{rng.randint(1000, 99999)}.{rng.randint(0, 99):02d}"
    if kind is ValueType.DATE:
        return (DAY - timedelta(days=rng.randint(400, 900))).isoformat()
    if kind is ValueType.CURRENCY:
        return rng.choice(["CHF", "SEK"])
    if kind is ValueType.TEXT:
        return f"{rng.choice(['Quillon', 'Vextor', 'Ombrelle'])} {rng.choice(['Holdings', 'Partners'])} LLC"
    return "".join(rng.choice("0123456789") for _ in range(rng.choice((8, 10, 12))))


def invented(sheet: Sheet, rng: Random) -> Case | None:
    paths = _fields(sheet)
    path = rng.choice(paths)
    kind = value_type(path, sheet.profile)
    value = _made_up(path, kind, rng)
    return None if sheet.text.holds(value, kind) else _with(sheet, rng, path, value)


def invented_where_empty(sheet: Sheet, rng: Random) -> Case | None:
    paths = [path for path in sheet.asked if path not in sheet.printed]
    if not paths:
        return None
    path = rng.choice(paths)
    return _with(sheet, rng, path, _made_up(path, value_type(path, sheet.profile), rng))


def swapped_parties(sheet: Sheet, rng: Random) -> Case | None:
    said = sheet.honest(rng)
    planted = ""
    for tail in ("name", "tax_id"):
        seller, buyer = f"seller.{tail}", f"buyer.{tail}"
        if seller in sheet.printed and buyer in sheet.printed:
            for path, other in ((seller, buyer), (buyer, seller)):
                if path in sheet.asked:
                    said[sheet.asked[path]] = sheet.printed[other].value_raw
                    planted = path
    return (planted, sheet.answers(said), sheet.readings) if planted else None


def label_echoed(sheet: Sheet, rng: Random) -> Case | None:
    path = rng.choice(_fields(sheet))
    return _with(sheet, rng, path, sheet.asked[path] + rng.choice(["", ":", "："]))


def answer_drifted(sheet: Sheet, rng: Random) -> Case | None:
    path = rng.choice(_fields(sheet, of=_has_digits))
    raw = sheet.printed[path].value_raw
    if not any(character.isdigit() for character in raw):
        return None
    return _with(sheet, rng, path, drifted(raw, rng))


def wrong_slot(sheet: Sheet, rng: Random) -> Case | None:
    """Another printed value of the same type, or of any, as the reference's bills show it."""
    path = rng.choice(_fields(sheet))
    kind = value_type(path, sheet.profile)
    others = [
        candidate.value_raw
        for other, candidate in sheet.printed.items()
        if candidate.value_norm != sheet.printed[path].value_norm
        and candidate.box is not None
        and value_type(other.rpartition(".")[2] if "[" in other else other, sheet.profile) is kind
    ]
    anything = [
        candidate.value_raw for other, candidate in sheet.printed.items() if candidate.box is not None and other != path
    ]
    return _with(sheet, rng, path, rng.choice(others or anything))


def _misread(sheet: Sheet, path: str, rng: Random) -> tuple[tuple[Reading, ...], str] | None:
    """The readings with one digit of the field's printed value misread, and the value as it then stands there."""
    candidate = sheet.printed[path]
    if candidate.box is None or not any(character.isdigit() for character in candidate.value_raw):
        return None
    value = drifted(candidate.value_raw, rng)
    pages, is_done = [], False
    for page in sheet.readings:
        spans: list[Span] = []
        for span in page.spans:
            is_here = (
                not is_done
                and page.page_no == candidate.page_no
                and candidate.value_raw in span.text
                and span.box.overlap_x(candidate.box) > 0
                and span.box.overlap_y(candidate.box) > 0
            )
            if is_here:
                is_done = True
                span = replace(span, text=span.text.replace(candidate.value_raw, value, 1))
            spans.append(span)
        pages.append(replace(page, spans=tuple(spans)))
    return (tuple(pages), value) if is_done else None


def page_drifted(sheet: Sheet, rng: Random) -> Case | None:
    path = rng.choice(_fields(sheet, of=_has_digits))
    misread = _misread(sheet, path, rng)
    return None if misread is None else (path, sheet.answers(sheet.honest(rng)), misread[0])


def _tied(sheet: Sheet) -> list[str]:
    """Fields that something else on the page ties down: amounts in sums or words, tax ids with check digits."""
    return [
        path
        for path in _fields(sheet, of=_has_digits)
        if (path in _AMOUNTS and all(other in sheet.printed for other in _AMOUNTS))
        or (path == "total_with_tax" and "cn_amount_in_words" in sheet.printed)
        or passes_check(path, sheet.printed[path].value_norm, sheet.profile)
    ]


def both_drifted(sheet: Sheet, rng: Random) -> Case | None:
    """The same misreading in the spotting and in the answer: one pair of eyes."""
    paths = _tied(sheet)
    if not paths:
        return None
    path = rng.choice(paths)
    misread = _misread(sheet, path, rng)
    if misread is None:
        return None
    said = sheet.honest(rng) | {sheet.asked[path]: misread[1]}
    return path, sheet.answers(said), misread[0]


def page_drifted_unanswered(sheet: Sheet, rng: Random) -> Case | None:
    """A tied value misread, and no field answer at all."""
    paths = _tied(sheet)
    misread = _misread(sheet, path := rng.choice(paths), rng) if paths else None
    return (path, (), misread[0]) if misread is not None else None


def line_drifted(sheet: Sheet, rng: Random) -> Case | None:
    """One amount of the item table misread; nobody is asked for lines."""
    paths = [path for path in sheet.printed if re.fullmatch(r"lines\[\d+\]\.(?:net|gross)_amount", path)]
    misread = _misread(sheet, path := rng.choice(paths), rng) if paths else None
    return (path, sheet.answers(sheet.honest(rng)), misread[0]) if misread is not None else None


PLANTS: dict[str, Plant] = {
    "answer invented": invented,
    "answer invented, field empty": invented_where_empty,
    "answer swaps the parties": swapped_parties,
    "answer echoes the label": label_echoed,
    "answer's digit drifted": answer_drifted,
    "answer from the wrong slot": wrong_slot,
    "page's digit drifted": page_drifted,
    "page and answer drifted": both_drifted,
    "page drifted, no answer": page_drifted_unanswered,
    "line amount drifted": line_drifted,
}

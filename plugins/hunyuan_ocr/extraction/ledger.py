"""What was decided about each field of one document, and what a person should look at.

Only keeps the books: it refuses a value with too little evidence, and does not choose between values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hunyuan_ocr.extraction.layout import Layout
from hunyuan_ocr.extraction.line_items import PrintedLine
from hunyuan_ocr.model.evidence import Candidate, FieldState, FieldValue, Source
from hunyuan_ocr.model.invoice import TaxBreakdown

# Below this a value is not given. Calibrated on labelled documents: lower gives more wrong than right values.
GIVE = 0.5
MOST_OTHERS = 4


@dataclass(slots=True)
class Ledger:
    """What was decided per field, in order; and the reasons for a review."""

    layout: Layout
    values: dict[str, FieldValue] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    lines: list[PrintedLine] = field(default_factory=list)
    tax_rows: list[TaxBreakdown] = field(default_factory=list)

    def give(self, candidate: Candidate, others: Sequence[Candidate] = (), reason: str = "") -> None:
        """Take a candidate, or, when its evidence is too thin, keep it aside and say so."""
        path = candidate.field_path
        if candidate.confidence < GIVE:
            kept = (candidate, *others)[:MOST_OTHERS]
            self.values[path] = FieldValue(path, FieldState.ILLEGIBLE, None, kept, reason or "too little evidence")
            return
        state = FieldState.DERIVED if candidate.source is Source.RULE else FieldState.PRESENT
        self.values[path] = FieldValue(path, state, candidate, tuple(others)[:MOST_OTHERS], reason)

    def withhold(self, path: str, reason: str, others: Sequence[Candidate] = (), *, is_open: bool = False) -> None:
        state = FieldState.ILLEGIBLE if is_open else FieldState.ABSENT
        self.values[path] = FieldValue(path, state, None, tuple(others)[:MOST_OTHERS], reason)

    def ask(self, code: str, sentence: str) -> None:
        reason = f"{code}: {sentence}"
        if reason not in self.reasons:
            self.reasons.append(reason)

    def norm(self, path: str) -> str | None:
        value = self.values.get(path)
        return value.chosen.value_norm if value and value.chosen else None

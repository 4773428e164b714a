"""What was said about a field, by whom, and what was chosen.

A *candidate* is one value for one field with its source, box, confidence and raw text. A *field value* is the chosen
candidate together with the ones it was chosen over: nothing a document says is thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from hunyuan_ocr.model.geometry import Box


class Source(StrEnum):
    """Where a value comes from, in descending order of trust (design: exact data beats OCR)."""

    XML = "XML"
    OFD = "OFD"
    CII = "CII"
    QR = "QR"
    TEXT = "TEXT"
    OCR = "OCR"
    VLM = "VLM"
    MASTER = "MASTER"
    HUMAN = "HUMAN"
    RULE = "RULE"


class FieldState(StrEnum):
    """Why a field has, or has not, a value. ``masked`` is a printed ``***``; ``derived`` was computed, not printed."""

    PRESENT = "present"
    ABSENT = "absent"
    ILLEGIBLE = "illegible"
    MASKED = "masked"
    NOT_APPLICABLE = "not_applicable"
    DERIVED = "derived"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One value for one field.

    ``field_path`` is a path into the canonical invoice: ``invoice_number``, ``seller.tax_id``,
    ``lines[0].net_amount``, ``tax_breakdown[1].rate``. ``value_raw`` is the text as printed, ``value_norm`` its
    canonical form (ISO 8601 date, decimal string with a point, upper-case tax id, NFKC text). ``confidence`` is 0 to
    1. ``label`` is the printed label that vouches for it, empty when the value speaks for itself (a checksum, a QR
    code).
    """

    field_path: str
    value_raw: str
    value_norm: str
    source: Source
    confidence: float
    page_no: int | None = None
    box: Box | None = None
    label: str = ""
    reader_version: str = ""


@dataclass(frozen=True, slots=True)
class FieldValue:
    """The chosen candidate of a field and the ones it was chosen over, best first.

    ``chosen`` is ``None`` when the document has no acceptable value; ``state`` says why. ``reason`` says, in a few
    words without the value itself, why this one won or why none did (for the clerk who looks at it).
    """

    field_path: str
    state: FieldState
    chosen: Candidate | None
    others: tuple[Candidate, ...] = field(default=())
    reason: str = ""

    @property
    def confidence(self) -> float:
        return self.chosen.confidence if self.chosen else 0.0

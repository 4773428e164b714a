"""Amounts on their way to a total: what may play a role, what supports it, what was chosen. No decisions here."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from hunyuan_ocr.extraction.leads import Lead


@dataclass(frozen=True, slots=True)
class Option:
    """An amount that may play a role, with its lead and how strongly its label speaks for it.

    ``parts`` are the leads of the amounts it is the sum of, when it is not printed itself (tax per rate).
    """

    amount: Decimal
    lead: Lead | None
    weight: float
    parts: tuple[Lead, ...] = ()


@dataclass(frozen=True, slots=True)
class Support:
    """What the rest of the document says about its amounts."""

    sum_of_lines: Decimal | None = None
    line_count: int = 0
    in_words: Decimal | None = None
    pairs: tuple[tuple[Decimal, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class ChosenAmount:
    option: Option
    confidence: float
    is_proven: bool
    others: tuple[Option, ...] = ()
    reason: str = ""


@dataclass(slots=True)
class Totals:
    """The chosen amounts by field path; ``doubts`` says in words what was left open."""

    chosen: dict[str, ChosenAmount] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    def amount(self, path: str) -> Decimal | None:
        return self.chosen[path].option.amount if path in self.chosen else None

"""The result of one rule on one invoice."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """``error`` keeps an invoice out of staging; ``warn`` is for review by policy; ``info`` is only recorded."""

    ERROR = "error"
    WARN = "warn"
    INFO = "info"


class Outcome(StrEnum):
    """A rule whose input is null is not applicable, never passed."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule said: values are text as compared (decimal strings, ISO dates), ``None`` where there is none.

    ``message`` explains a failure to a clerk: what was wrong and what to do. It may quote the values and therefore
    goes to the database and the report, never to a log.
    """

    rule_id: str
    severity: Severity
    outcome: Outcome
    fields: tuple[str, ...]
    expected: str | None = None
    actual: str | None = None
    difference: str | None = None
    message: str = ""

    @property
    def is_rejection(self) -> bool:
        """True when this finding alone keeps the invoice out of staging."""
        return self.outcome is Outcome.FAILED and self.severity is Severity.ERROR

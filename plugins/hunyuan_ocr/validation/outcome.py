"""The decision on one invoice: stage it, or send it to review, and why. Pure; it looks at findings and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hunyuan_ocr.model.findings import Finding, Outcome, Severity

# As a member of ``warn_to_review``: every failed warning sends an invoice to review.
ALL_WARNINGS = "*"


class Verdict(StrEnum):
    STAGE = "stage"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Decision:
    """``reasons`` are the failed findings that keep the invoice out of staging, errors first; empty when it is staged.

    ``recorded`` are failed findings (warnings, notes) that did not decide anything.
    """

    verdict: Verdict
    reasons: tuple[Finding, ...]
    recorded: tuple[Finding, ...]

    @property
    def is_staged(self) -> bool:
        return self.verdict is Verdict.STAGE


def decide(findings: Iterable[Finding], *, warn_to_review: frozenset[str] = frozenset()) -> Decision:
    """Review when any finding is a rejection, or is a failed warning the policy names by rule id (or all, ``"*"``)."""
    failed = [finding for finding in findings if finding.outcome is Outcome.FAILED]
    errors = [finding for finding in failed if finding.severity is Severity.ERROR]
    warnings = [finding for finding in failed if finding.severity is Severity.WARN]
    by_policy = [f for f in warnings if f.rule_id in warn_to_review or ALL_WARNINGS in warn_to_review]
    reasons = (*errors, *by_policy)
    recorded = tuple(finding for finding in failed if finding not in reasons)
    return Decision(Verdict.REVIEW if reasons else Verdict.STAGE, reasons, recorded)

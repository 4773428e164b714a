"""The decision: an error reviews, a warning only by policy, and the reasons are told."""

from __future__ import annotations

import pytest

from hunyuan_ocr.model.findings import Finding, Outcome, Severity
from hunyuan_ocr.validation.outcome import ALL_WARNINGS, Verdict, decide


def finding(rule_id: str, severity: Severity, outcome: Outcome = Outcome.FAILED) -> Finding:
    return Finding(rule_id, severity, outcome, ())


ERROR = finding("A", Severity.ERROR)
WARNING = finding("B", Severity.WARN)
NOTE = finding("C", Severity.INFO)


def test_nothing_failed_stages() -> None:
    passed = [finding("A", Severity.ERROR, Outcome.PASSED), finding("B", Severity.ERROR, Outcome.NOT_APPLICABLE)]
    assert decide(passed).verdict is Verdict.STAGE
    assert decide([]).is_staged


def test_one_error_reviews_and_is_the_first_reason() -> None:
    decision = decide([WARNING, NOTE, ERROR], warn_to_review=frozenset({"B"}))
    assert decision.verdict is Verdict.REVIEW
    assert decision.reasons == (ERROR, WARNING)
    assert decision.recorded == (NOTE,)


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [(set(), Verdict.STAGE), ({"B"}, Verdict.REVIEW), ({"X"}, Verdict.STAGE), ({ALL_WARNINGS}, Verdict.REVIEW)],
)
def test_a_warning_reviews_only_by_policy(policy: set[str], verdict: Verdict) -> None:
    decision = decide([WARNING, NOTE], warn_to_review=frozenset(policy))
    assert decision.verdict is verdict
    assert set(decision.reasons + decision.recorded) == {WARNING, NOTE}


def test_a_note_never_reviews() -> None:
    assert decide([NOTE], warn_to_review=frozenset({ALL_WARNINGS, "C"})).is_staged

"""What a rule is: an id, a severity, what it needs, what it says, and a check that gives a ruling.

A rule never changes an invoice and never repairs a value: it only says passed, failed or not applicable. A rule that
lacks an input is not applicable, never passed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType

from hunyuan_ocr.model.evidence import FieldState
from hunyuan_ocr.model.findings import Finding, Outcome, Severity
from hunyuan_ocr.model.invoice import DocumentKind, Invoice


@dataclass(frozen=True, slots=True)
class RulePolicy:
    """What an operator may decide about the rules.

    ``max_age_days`` is DATE-2's limit; ``min_confidence`` (0 to 1) is EV-2's. ``severity_overrides`` maps a rule id to
    the severity its failures get instead of their own, for instance ``{"BR-CO-26": Severity.WARN}`` where suppliers
    print no identifier.
    """

    max_age_days: int = 400
    min_confidence: float = 0.5
    severity_overrides: Mapping[str, Severity] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class InvoiceFacts:
    """What is known about an invoice beside its values.

    ``received_on`` is the day the source item arrived. ``field_states`` and ``confidences`` are keyed by field path
    (``seller.tax_id``); a path that is missing has no known state. ``ambiguous_fields`` are fields whose printed text
    allows several readings and was therefore left empty. ``source_is_structured`` is true when the values come from
    XML or another exact source: then the standard's own tolerances hold, not those for scanned documents.
    ``facts.facts_of`` makes them from what extraction gives.
    """

    invoice_id: str
    received_on: date
    field_states: Mapping[str, FieldState] = field(default_factory=lambda: MappingProxyType({}))
    confidences: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    review_reasons: tuple[str, ...] = ()
    ambiguous_fields: frozenset[str] = frozenset()
    source_is_structured: bool = False
    policy: RulePolicy = RulePolicy()

    def is_obscured(self, field_path: str) -> bool:
        """True when something is printed in the field's place that cannot be read (illegible, or ``***``)."""
        return self.field_states.get(field_path) in {FieldState.ILLEGIBLE, FieldState.MASKED}


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a check says; ``severity`` only where it differs from the rule's own (a small difference, say)."""

    outcome: Outcome
    fields: tuple[str, ...] = ()
    expected: str | None = None
    actual: str | None = None
    difference: str | None = None
    message: str = ""
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``version`` is raised when the check changes its mind about any invoice.

    ``needs`` are paths of header or party fields (or groups, ``lines``) without which the rule is not applicable.
    ``severities`` are all a failure of this rule can have, the usual one first. On a receipt a failure is
    ``receipt_severity`` where that is given: tills print lines with tax, and rarely all that would make them add up.
    """

    id: str
    version: int
    severities: tuple[Severity, ...]
    needs: tuple[str, ...]
    explains_en: str
    explains_zh: str
    check: Callable[[Invoice, InvoiceFacts], Ruling]
    origin: str = "EN 16931"
    receipt_severity: Severity | None = None

    @property
    def severity(self) -> Severity:
        """The severity of a failure unless the check says otherwise."""
        return self.severities[0]

    def judge(self, invoice: Invoice, facts: InvoiceFacts) -> Finding:
        """The finding of this rule on one invoice."""
        missing = tuple(path for path in self.needs if is_missing(invoice, path))
        if missing:
            ruling = not_applicable(f"Not on the document: {', '.join(missing)}.", fields=missing)
        else:
            ruling = self.check(invoice, facts)
        severity = ruling.severity or self.severity
        if invoice.document_kind is DocumentKind.RECEIPT and self.receipt_severity is not None:
            severity = self.receipt_severity
        if ruling.outcome is Outcome.FAILED:
            severity = facts.policy.severity_overrides.get(self.id, severity)
        return Finding(
            rule_id=self.id,
            severity=severity,
            outcome=ruling.outcome,
            fields=ruling.fields or self.needs,
            expected=ruling.expected,
            actual=ruling.actual,
            difference=ruling.difference,
            message=ruling.message,
        )


def value_at(invoice: Invoice, path: str) -> object:
    """The value of a header field or party field (``seller.tax_id``); ``None`` where there is none."""
    value: object = invoice
    for name in path.split("."):
        if value is None:
            return None
        value = getattr(value, name)
    return value


def is_missing(invoice: Invoice, path: str) -> bool:
    """True when the field is not on the document (``None``, or a group without rows)."""
    value = value_at(invoice, path)
    return value is None or value == ()


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date) else str(value)


def passed(*fields: str, expected: object = None, actual: object = None) -> Ruling:
    return Ruling(Outcome.PASSED, fields, _text(expected), _text(actual))


def not_applicable(why: str, *, fields: tuple[str, ...] = ()) -> Ruling:
    return Ruling(Outcome.NOT_APPLICABLE, fields, message=why)


def failed(
    *fields: str,
    message: str,
    expected: object = None,
    actual: object = None,
    difference: object = None,
    severity: Severity | None = None,
) -> Ruling:
    return Ruling(
        Outcome.FAILED, fields, _text(expected), _text(actual), _text(difference), message=message, severity=severity
    )

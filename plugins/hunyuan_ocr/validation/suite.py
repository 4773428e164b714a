"""One Great Expectations run over all invoices of a batch, and the verdict on each invoice that follows from it.

The rules (``rules``) look at each invoice; the suite asserts over a frame with one row per invoice that no rule gave an
error, and checks the header columns once more by itself. What Great Expectations finds unexpected decides; the rules'
own findings must agree, and where they do not the invoice goes to review. Values of invoices never enter the frame:
only outcomes, whether a value is given, and day counts.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.model.findings import Finding, Outcome, Severity
from hunyuan_ocr.model.invoice import Invoice
from hunyuan_ocr.validation.data_docs import InvoiceRow, write_data_docs
from hunyuan_ocr.validation.outcome import ALL_WARNINGS, Decision, decide
from hunyuan_ocr.validation.rules import REGISTRY, RULESET_VERSION, InvoiceFacts, run_rules
from hunyuan_ocr.validation.rules.base import is_missing
from hunyuan_ocr.validation.rules.mandatory import TERMS

DISAGREEMENT = "GX-1"

_GX_SEVERITY = {Severity.ERROR: "critical", Severity.WARN: "warning", Severity.INFO: "info"}
_GIVEN, _WAIVED = "given", "waived by policy"


@dataclass(frozen=True, slots=True)
class InvoiceToValidate:
    """An invoice with what is known about it; ``document_name`` is what the clerk knows the file by."""

    invoice: Invoice
    facts: InvoiceFacts
    document_name: str

    @property
    def invoice_id(self) -> str:
        return self.facts.invoice_id


@dataclass(frozen=True, slots=True)
class InvoiceVerdict:
    """``decision`` says stage or review; ``findings`` has one entry for every rule."""

    invoice_id: str
    document_name: str
    decision: Decision
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class BatchStatistics:
    """Counts of one run. ``failures_by_rule`` counts invoices by failed rule, whatever its severity."""

    invoices: int
    accepted: int
    to_review: int
    expectations: int
    expectations_failed: int
    failures_by_rule: Mapping[str, int]
    seconds: float
    ruleset_version: str
    gx_version: str


@dataclass(frozen=True, slots=True)
class BatchValidation:
    """Verdicts in the order of the invoices given; ``docs_index`` is the run's Data Docs page."""

    verdicts: tuple[InvoiceVerdict, ...]
    docs_index: Path
    statistics: BatchStatistics


def quiet_great_expectations() -> Any:
    """Import Great Expectations without its chatter and without telemetry; takes seconds the first time.

    Its root logger must be silenced before the import and one logger that sets its own level after it. Otherwise the
    import alone prints some two hundred lines in an Airflow task.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations

    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    return great_expectations


def validate_batch(
    invoices: Sequence[InvoiceToValidate],
    *,
    docs_dir: Path,
    run_name: str,
    warn_to_review: frozenset[str] = frozenset(),
) -> BatchValidation:
    """Judge every invoice and write the run's Data Docs page into ``docs_dir``.

    The page is named after the run; validating the same run again replaces it. Raises ``ValueError`` when two invoices
    have the same id, ``ConfigurationError`` when a policy names a rule that does not exist, and ``RuntimeError`` when
    an expectation could not be evaluated (a fault of the program: then no invoice has a verdict).
    """
    started = time.perf_counter()
    repeated = [name for name, count in Counter(item.invoice_id for item in invoices).items() if count > 1]
    if repeated:
        raise ValueError(f"{len(repeated)} invoice ids occur more than once in the batch: verdicts would be mixed up")
    _refuse_unknown_rules(invoices, warn_to_review)
    findings = {item.invoice_id: run_rules(item.invoice, item.facts) for item in invoices}
    gx = quiet_great_expectations()
    result = _run_suite(gx, invoices, findings)
    unexpected = _unexpected_invoices(result)
    verdicts = tuple(
        verdict_of(item, findings[item.invoice_id], unexpected.get(item.invoice_id, frozenset()), warn_to_review)
        for item in invoices
    )
    docs_index = docs_dir / docs_page_name(run_name)
    write_data_docs(result, [_docs_row(verdict) for verdict in verdicts], run_name=run_name, path=docs_index)
    accepted = sum(verdict.decision.is_staged for verdict in verdicts)
    failures = Counter(f.rule_id for v in verdicts for f in v.findings if f.outcome is Outcome.FAILED)
    statistics = BatchStatistics(
        invoices=len(verdicts),
        accepted=accepted,
        to_review=len(verdicts) - accepted,
        expectations=result.statistics["evaluated_expectations"],
        expectations_failed=result.statistics["unsuccessful_expectations"],
        failures_by_rule=dict(failures.most_common()),
        seconds=time.perf_counter() - started,
        ruleset_version=RULESET_VERSION,
        gx_version=gx.__version__,
    )
    return BatchValidation(verdicts, docs_index, statistics)


def _refuse_unknown_rules(invoices: Sequence[InvoiceToValidate], warn_to_review: frozenset[str]) -> None:
    named = set(warn_to_review - {ALL_WARNINGS})
    for item in invoices:
        named.update(item.facts.policy.severity_overrides)
    unknown = sorted(named - REGISTRY.keys())
    if unknown:
        raise ConfigurationError(
            f"the validation policy names unknown rules: {', '.join(unknown)}. rules_catalogue() lists all there are."
        )


@dataclass(frozen=True, slots=True)
class Unexpected:
    """One invoice that failed one expectation; ``is_rule_column`` is false for the suite's own header checks."""

    rule_id: str
    severity: Severity
    is_rule_column: bool


def verdict_of(
    item: InvoiceToValidate,
    findings: tuple[Finding, ...],
    unexpected: frozenset[Unexpected],
    warn_to_review: frozenset[str] = frozenset(),
) -> InvoiceVerdict:
    """The verdict on one invoice from what Great Expectations found unexpected, checked against the findings.

    A failed finding that the suite did not report, one it reported that did not fail, or a header column the suite
    rejects although no rule does, adds the finding ``GX-1`` and sends the invoice to review.
    """
    by_suite = {(entry.rule_id, entry.severity) for entry in unexpected if entry.is_rule_column}
    by_rules = {(f.rule_id, f.severity) for f in findings if f.outcome is Outcome.FAILED}
    disputed = {rule_id for rule_id, _ in by_suite ^ by_rules}
    rejected_header = {e.rule_id for e in unexpected if not e.is_rule_column and e.severity is Severity.ERROR}
    if rejected_header and not any(finding.is_rejection for finding in findings):
        disputed |= rejected_header
    if disputed:
        findings = (*findings, _disagreement(disputed))
    decision = decide(findings, warn_to_review=warn_to_review)
    return InvoiceVerdict(item.invoice_id, item.document_name, decision, findings)


def _disagreement(rule_ids: Iterable[str]) -> Finding:
    return Finding(
        rule_id=DISAGREEMENT,
        severity=Severity.ERROR,
        outcome=Outcome.FAILED,
        fields=(),
        message=(
            f"Great Expectations and the rules disagree about {', '.join(sorted(rule_ids))}. This is a fault of the "
            "program: check the invoice by hand and report it."
        ),
    )


def _outcome_text(finding: Finding) -> str:
    return finding.severity.value if finding.outcome is Outcome.FAILED else finding.outcome.value


def _row(item: InvoiceToValidate, findings: tuple[Finding, ...]) -> dict[str, Any]:
    invoice, facts = item.invoice, item.facts
    overrides = facts.policy.severity_overrides
    row: dict[str, Any] = {"invoice": item.invoice_id, "kind": invoice.document_kind.value}
    row |= {finding.rule_id: _outcome_text(finding) for finding in findings}
    for term in TERMS:
        is_waived = overrides.get(term.rule_id, Severity.ERROR) is not Severity.ERROR
        absent = _WAIVED if is_waived else None
        row[_presence_column(term.field)] = absent if is_missing(invoice, term.field) else _GIVEN
    row["currency code"] = invoice.currency if "CUR-1" not in overrides else None
    issued = invoice.issue_date
    latest = facts.received_on + timedelta(days=1)
    row["days after arrival"] = (issued - latest).days if issued and "DATE-1" not in overrides else None
    age = (facts.received_on - issued).days - facts.policy.max_age_days if issued else None
    row["days over age limit"] = age if "DATE-2" not in overrides else None
    return row


def _presence_column(field_path: str) -> str:
    return f"{field_path} given"


def _frame(invoices: Sequence[InvoiceToValidate], findings: Mapping[str, tuple[Finding, ...]]) -> Any:
    import pandas as pd

    rows = [_row(item, findings[item.invoice_id]) for item in invoices]
    columns = ["invoice", "kind", *REGISTRY, *(_presence_column(term.field) for term in TERMS)]
    columns += ["currency code", "days after arrival", "days over age limit"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _expectations(gx: Any, severities: Mapping[str, frozenset[Severity]]) -> list[Any]:
    """The header checks, then one expectation for every rule and severity a failure of it can have."""
    from great_expectations.expectations.row_conditions import Column

    from hunyuan_ocr.model.parsing.currencies import is_active_currency

    kinds = gx.expectations
    made = [
        kinds.ExpectColumnValuesToNotBeNull(
            column=_presence_column(term.field),
            row_condition=Column("kind").is_in(sorted(kind.value for kind in term.kinds)),
            severity="critical",
            description=f"{term.rule_id}: the {term.word} is given ({', '.join(sorted(term.kinds))}).",
            meta={"rule_id": term.rule_id, "severity": Severity.ERROR.value, "is_rule_column": False},
        )
        for term in TERMS
    ]
    made.append(
        kinds.ExpectColumnValuesToBeInSet(
            column="currency code",
            value_set=sorted(code for code in _iso_codes() if is_active_currency(code)),
            severity="critical",
            description="CUR-1: the currency is an active ISO 4217 code.",
            meta={"rule_id": "CUR-1", "severity": Severity.ERROR.value, "is_rule_column": False},
        )
    )
    for column, rule_id, severity in (
        ("days after arrival", "DATE-1", Severity.ERROR),
        ("days over age limit", "DATE-2", Severity.WARN),
    ):
        made.append(
            kinds.ExpectColumnValuesToBeBetween(
                column=column,
                max_value=0,
                severity=_GX_SEVERITY[severity],
                description=f"{rule_id}: {REGISTRY[rule_id].explains_en}",
                meta={"rule_id": rule_id, "severity": severity.value, "is_rule_column": False},
            )
        )
    for rule in REGISTRY.values():
        for severity in sorted(severities[rule.id], key=list(Severity).index):
            accepted = [Outcome.PASSED.value, Outcome.NOT_APPLICABLE.value]
            accepted += [other.value for other in Severity if other is not severity]
            made.append(
                kinds.ExpectColumnValuesToBeInSet(
                    column=rule.id,
                    value_set=accepted,
                    severity=_GX_SEVERITY[severity],
                    description=f"{rule.id} ({severity.value}): {rule.explains_en} {rule.explains_zh}",
                    meta={
                        "rule_id": rule.id,
                        "rule_version": rule.version,
                        "severity": severity.value,
                        "explanation": rule.explains_en,
                        "is_rule_column": True,
                    },
                )
            )
    return made


def _iso_codes() -> Iterable[str]:
    import iso4217

    return (str(code) for code in iso4217.raw_table if code)


def _run_suite(gx: Any, invoices: Sequence[InvoiceToValidate], findings: Mapping[str, tuple[Finding, ...]]) -> Any:
    severities = {rule.id: set(rule.severities) for rule in REGISTRY.values()}
    for item in invoices:
        for rule_id, severity in item.facts.policy.severity_overrides.items():
            severities[rule_id].add(severity)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    suite = gx.ExpectationSuite(
        name="invoices",
        expectations=_expectations(gx, {rule_id: frozenset(found) for rule_id, found in severities.items()}),
        meta={"ruleset_version": RULESET_VERSION},
    )
    asset = context.data_sources.add_pandas("invoices").add_dataframe_asset("invoices")
    batch = asset.add_batch_definition_whole_dataframe("run").get_batch(
        batch_parameters={"dataframe": _frame(invoices, findings)}
    )
    return batch.validate(
        suite,
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": ["invoice"],
            "return_unexpected_index_query": False,
        },
    )


def _unexpected_invoices(result: Any) -> dict[str, frozenset[Unexpected]]:
    """Invoice id to what it failed, from the suite result."""
    found: dict[str, set[Unexpected]] = {}
    for entry in result.results:
        told = entry.to_json_dict()
        meta = told["expectation_config"]["meta"]
        if told["exception_info"].get("raised_exception"):
            raise RuntimeError(
                f"the expectation of {meta['rule_id']} could not be evaluated, so no invoice has a verdict: "
                f"{told['exception_info'].get('exception_message')}"
            )
        failed = Unexpected(meta["rule_id"], Severity(meta["severity"]), meta["is_rule_column"])
        for row in told["result"].get("unexpected_index_list") or ():
            found.setdefault(row["invoice"], set()).add(failed)
    return {invoice_id: frozenset(entries) for invoice_id, entries in found.items()}


def _docs_row(verdict: InvoiceVerdict) -> InvoiceRow:
    shown = verdict.decision.reasons or verdict.decision.recorded
    why = tuple(f"{finding.rule_id}: {_explanation(finding)}" for finding in shown)
    return InvoiceRow(verdict.invoice_id, verdict.document_name, verdict.decision.is_staged, why)


def _explanation(finding: Finding) -> str:
    """What the rule demands and which fields are concerned; the finding's own message may quote values."""
    rule = REGISTRY.get(finding.rule_id)
    text = f"{rule.explains_en} {rule.explains_zh}" if rule else finding.message
    return f"{text} [{', '.join(finding.fields)}]" if finding.fields else text


def docs_page_name(run_name: str) -> str:
    """The file name of a run's page: readable, and different for different runs even where characters had to go."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", run_name).strip("._")[:80] or "run"
    digest = "" if readable == run_name else f"-{hashlib.sha256(run_name.encode()).hexdigest()[:8]}"
    return f"{readable}{digest}.html"

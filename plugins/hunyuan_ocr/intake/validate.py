"""Validate: one Great Expectations run over all invoices of the run, a verdict for each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hunyuan_ocr.intake.run import IntakeRun
from hunyuan_ocr.intake.stores import Intake
from hunyuan_ocr.staging.lifecycle import Status
from hunyuan_ocr.staging.rows import ExtractedInvoice
from hunyuan_ocr.validation.facts import facts_of
from hunyuan_ocr.validation.rules import RulePolicy
from hunyuan_ocr.validation.suite import InvoiceToValidate, validate_batch


def run_name(run: IntakeRun) -> str:
    """How the Data Docs call the run."""
    return f"{run.dag_id} {run.run_id}"


def validate(intake: Intake, run: IntakeRun) -> tuple[dict[str, int], Path | None]:
    """Judge what the run extracted and record the findings; the counts and the page of the report.

    Without anything to judge there is no report, and one written before stays as it is.
    """
    waiting = list(intake.store.invoices_of_batch(intake.batch(run), {Status.EXTRACTED, Status.VALIDATED}))
    if not waiting:
        return {"invoices": 0, "accepted": 0, "to_review": 0}, None
    result = validate_batch(
        [_to_validate(intake, extracted) for extracted in waiting],
        docs_dir=intake.settings.data_docs_dir,
        run_name=run_name(run),
        warn_to_review=intake.settings.warnings_to_review,
    )
    for verdict in result.verdicts:
        intake.store.record_findings(verdict.invoice_id, verdict.findings, result.statistics.ruleset_version)
    counts = Counter(invoices=result.statistics.invoices, accepted=0, to_review=0)
    counts.update({"accepted": result.statistics.accepted, "to_review": result.statistics.to_review})
    return dict(counts), result.docs_index


def _to_validate(intake: Intake, extracted: ExtractedInvoice) -> InvoiceToValidate:
    row = extracted.row
    return InvoiceToValidate(
        invoice=extracted.invoice,
        facts=facts_of(
            row.invoice_id,
            row.received_at.date(),
            intake.store.field_values_of(row.invoice_id),
            review_reasons=extracted.review_reasons,
            policy=RulePolicy(min_confidence=intake.settings.min_confidence),
        ),
        document_name=row.file_name,
    )

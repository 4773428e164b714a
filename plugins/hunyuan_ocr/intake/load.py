"""Load: accepted invoices into the staging tables, the others into review, one transaction each."""

from __future__ import annotations

from collections import Counter

from hunyuan_ocr.intake.run import IntakeRun
from hunyuan_ocr.intake.stores import Intake
from hunyuan_ocr.staging.rows import LoadVerdict
from hunyuan_ocr.validation.outcome import decide


def load(intake: Intake, run: IntakeRun) -> dict[str, int]:
    """Load what is validated, in order of arrival: the first of two equal invoices is the one that is staged."""
    batch, counts = intake.batch(run), Counter[str]()
    for invoice_id in intake.store.load_order(batch):
        decision = decide(intake.store.findings_of(invoice_id), warn_to_review=intake.settings.warnings_to_review)
        config = intake.sources.get(intake.store.invoice(invoice_id).source_code)
        result = intake.store.load(
            invoice_id,
            batch_id=batch,
            verdict=LoadVerdict(rejections=decision.reasons),
            company_code=config.legal_entity if config else None,
        )
        counts[result.status.value.lower()] += 1
    return dict(counts)

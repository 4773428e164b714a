"""Reconcile: readings in, one canonical invoice with its evidence out. Needs no model; can be repeated at any time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hunyuan_ocr.exceptions import DocumentError
from hunyuan_ocr.extraction.reconcile import reconcile
from hunyuan_ocr.intake.ocr import reading_key
from hunyuan_ocr.intake.problems import set_aside
from hunyuan_ocr.intake.run import IntakeRun
from hunyuan_ocr.intake.stores import Intake
from hunyuan_ocr.model.geometry import Reading
from hunyuan_ocr.model.invoice import DocumentKind
from hunyuan_ocr.readers import pdf_text
from hunyuan_ocr.staging.lifecycle import Status
from hunyuan_ocr.staging.rows import InvoiceRow, NewExtraction

NOT_INVOICES = frozenset({DocumentKind.STATEMENT, DocumentKind.OTHER})


class NotAnInvoiceError(DocumentError):
    """The document is something else. The clerk decides; a profile in prompts/ makes a new kind readable."""

    reason_code = "NOT_AN_INVOICE"
    remedy = "Nothing to do if that is right; otherwise read it again with a prompt profile of your choice."


class NoTextError(DocumentError):
    """Nobody could read a word on the document's pages. The clerk looks whether there is one."""

    reason_code = "NO_TEXT"
    remedy = "Look at it: nothing to do if it is blank; otherwise ask the sender for a sharper copy, or type it in."


def reconcile_shard(intake: Intake, run: IntakeRun, shard_no: int) -> dict[str, int]:
    """Extract every invoice of the shard whose pages have been read."""
    counts = Counter(extracted=0, set_aside=0, waiting=0, unchanged=0)
    statuses = None if run.reprocess else {Status.RECEIVED}
    is_model = intake.settings.engine.is_model
    # OCR first: where a page needed eyes, its text layer was not to be trusted.
    keys = [reading_key(intake, run), pdf_text.engine_key()]
    for row in intake.store.invoices_in_shard(intake.batch(run), shard_no, statuses):
        readings = _readings(intake, row, keys)
        if readings is None:
            counts["waiting"] += 1
            continue
        try:
            if not any(reading.spans for reading in readings):
                raise NoTextError(f"No text was found on any page of {row.file_name}.", document=row.file_name)
            extraction = reconcile(
                readings,
                profiles=intake.profiles,
                profile_name=run.prompt_profile or _profile_of(intake, row),
                answers=intake.store.answers_of(row.content_sha256, keys) if is_model else (),
            )
            if extraction.invoice.document_kind in NOT_INVOICES:
                raise NotAnInvoiceError(f"{row.file_name} does not look like an invoice.", document=row.file_name)
        except Exception as error:
            set_aside(intake.store, row.invoice_id, error, row.file_name)
            counts["set_aside"] += 1
            continue
        changed = intake.store.record_extraction(
            row.invoice_id,
            NewExtraction(
                invoice=extraction.invoice,
                field_values=extraction.field_values,
                profile=extraction.profile,
                review_reasons=extraction.review_reasons,
            ),
            reprocess=run.reprocess,
        )
        counts["extracted" if changed else "unchanged"] += 1
    return dict(counts)


def _readings(intake: Intake, row: InvoiceRow, keys: Sequence[str]) -> tuple[Reading, ...] | None:
    """The readings of all pages; ``None`` while a page has not been read yet."""
    pages = intake.store.pages_of(row.content_sha256)
    readings = intake.store.readings_of(row.content_sha256, keys)
    return readings if pages and len(readings) == len(pages) else None


def _profile_of(intake: Intake, row: InvoiceRow) -> str | None:
    config = intake.sources.get(row.source_code)
    return config.prompt_profile if config else None

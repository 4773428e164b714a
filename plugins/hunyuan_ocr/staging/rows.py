"""What the store takes and gives: plain frozen nouns, no database in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hunyuan_ocr.model.documents import DocumentRole
from hunyuan_ocr.model.evidence import FieldValue, Source
from hunyuan_ocr.model.findings import Finding
from hunyuan_ocr.model.invoice import Invoice
from hunyuan_ocr.sources.base import Verdict
from hunyuan_ocr.staging.lifecycle import Status
from hunyuan_ocr.staging.tables.pipeline import ItemStatus


@dataclass(frozen=True, slots=True)
class ItemRow:
    """A source item of the ledger. ``subject_hash`` and the like stay in the database."""

    item_id: str
    source_code: str
    external_key: str
    received_at: datetime
    raw_sha256: str
    raw_uri: str
    size_bytes: int
    is_mail: bool
    file_name: str
    sender: str | None
    message_id: str | None
    status: ItemStatus
    error_text: str | None


@dataclass(frozen=True, slots=True)
class NewDocument:
    """One unpacked file to record. ``role`` is PRIMARY, RENDITION, ATTACHMENT or IGNORED; the store finds DUPLICATEs.

    ``problem_code`` and ``problem`` (code of the ``DocumentError``, its message with the remedy) put a PRIMARY
    document into quarantine.
    """

    part_path: str
    file_name: str
    media_type: str
    size_bytes: int
    content_sha256: str
    blob_uri: str
    role: DocumentRole = DocumentRole.PRIMARY
    reason: str = ""
    n_pages: int | None = None
    problem_code: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document as recorded; ``invoice_id`` is that of its bytes, whether this document is the primary one or not."""

    document_id: str
    item_id: str
    part_path: str
    file_name: str
    media_type: str
    size_bytes: int
    content_sha256: str
    blob_uri: str
    role: DocumentRole
    reason: str
    first_document_id: str | None
    n_pages: int | None
    problem_code: str | None
    problem: str | None
    invoice_id: str


@dataclass(frozen=True, slots=True)
class Shard:
    """What one OCR task works on."""

    shard_no: int
    n_items: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What is known of a page before it is read. Sizes are those of the upright page, in points or pixels."""

    page_no: int
    needs_eyes: bool
    reason: str
    width: float
    height: float
    rotation: int = 0


@dataclass(frozen=True, slots=True)
class PendingPage:
    """A page that a reader of pictures has not looked at yet."""

    content_sha256: str
    page_no: int
    blob_uri: str
    media_type: str


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """Where an invoice stands and which document it is read from."""

    invoice_id: str
    status: Status
    status_reason: str
    lock_version: int
    content_sha256: str
    document_id: str
    item_id: str
    source_code: str
    file_name: str
    media_type: str
    size_bytes: int
    blob_uri: str
    received_at: datetime
    payload_hash: str | None
    related_invoice_id: str | None


@dataclass(frozen=True, slots=True)
class ExtractedInvoice:
    """An invoice with its canonical body and what extraction said about it."""

    row: InvoiceRow
    invoice: Invoice
    profile: str
    extracted_from: str
    confidence_min: float | None
    review_reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoadVerdict:
    """Whether validation lets an invoice into staging. Each rejection and each review reason keeps it out."""

    rejections: tuple[Finding, ...] = ()
    review_reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadResult:
    """Where ``load`` left the invoice; ``changed`` is false when it was there already."""

    status: Status
    changed: bool
    related_invoice_id: str | None = None


@dataclass(frozen=True, slots=True)
class RejectedDocument:
    """One reason why one document is not staged, for the summary of a run. Goes to mail and page, never to a log."""

    invoice_id: str
    rule_id: str
    field_path: str | None
    message: str
    file_name: str
    source_code: str
    invoice_number: str | None
    seller_name: str | None


@dataclass(frozen=True, slots=True)
class SettleItem:
    """A source item all of whose documents are final, and what its source is to be told."""

    item_id: str
    source_code: str
    external_key: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """How a run ended.

    ``by_status`` counts the invoices of the run's PRIMARY documents; ``duplicates`` the documents whose bytes were
    known already; ``lost`` lists what is in no final state: items never unpacked, invoices unread, unvalidated or not
    loaded.
    """

    batch_id: str
    items: int
    documents: int
    by_status: Mapping[Status, int]
    duplicates: int
    rejections: tuple[RejectedDocument, ...]
    quarantined: tuple[InvoiceRow, ...]
    ignored: tuple[DocumentRow, ...]
    lost: tuple[str, ...]

    @property
    def reject_ratio(self) -> float:
        """Invoices of this run that a person must look at, as a share of all of them; 0 when there are none."""
        total = sum(self.by_status.values())
        bad = self.by_status.get(Status.REVIEW, 0) + self.by_status.get(Status.QUARANTINED, 0)
        return bad / total if total else 0.0


@dataclass(frozen=True, slots=True)
class EventRow:
    """One step of an invoice's life."""

    seq: int
    from_status: str
    to_status: str
    actor: str
    reason: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class NewExtraction:
    """What reconciling a document gave. ``extracted_from`` is a ``Source`` or MIXED; the confidence is the lowest of
    the chosen values, ``None`` when nothing was chosen."""

    invoice: Invoice
    field_values: tuple[FieldValue, ...]
    profile: str
    review_reasons: tuple[str, ...] = ()

    @property
    def extracted_from(self) -> str:
        # What follows from other values by a rule comes from where they came from.
        used = {value.chosen.source for value in self.field_values if value.chosen} - {Source.RULE}
        return used.pop().value if len(used) == 1 else "MIXED"

    @property
    def confidence_min(self) -> float | None:
        return min((value.chosen.confidence for value in self.field_values if value.chosen), default=None)

"""Invoices, documents and mails as the other rooms hand them to the store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hunyuan_ocr.model.evidence import Candidate, FieldState, FieldValue, Source
from hunyuan_ocr.model.findings import Finding, Outcome, Severity
from hunyuan_ocr.model.geometry import Box
from hunyuan_ocr.model.invoice import DocumentKind, Invoice, Line, Party, TaxBreakdown, TaxIdType
from hunyuan_ocr.sources.archive import Archived
from hunyuan_ocr.sources.base import FetchedItem, ItemRef, Window
from hunyuan_ocr.staging.repository import Store
from hunyuan_ocr.staging.rows import NewDocument, NewExtraction

DAY = datetime(2026, 11, 3, tzinfo=UTC)
WINDOW = Window(DAY, DAY + timedelta(days=1))


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def fetched(key: str, *, hour: float = 9, source: str = "mailbox") -> tuple[FetchedItem, Archived]:
    ref = ItemRef(source, key, DAY + timedelta(hours=hour), 1000, key)
    item = FetchedItem(ref, b"raw", True, "", sender="billing@example.com", message_id=f"<{key}@example.com>")
    return item, Archived(sha(f"raw {key}"), f"archive/{key}", 1000)


def a_document(content: str, *, part: str = "1", **changes: Any) -> NewDocument:
    values: dict[str, Any] = {
        "part_path": part,
        "file_name": f"{content}.pdf",
        "media_type": "application/pdf",
        "size_bytes": 5000,
        "content_sha256": sha(content),
        "blob_uri": f"archive/{content}",
    }
    return NewDocument(**values | changes)


def an_invoice(number: str = "INV-1", **changes: Any) -> Invoice:
    values: dict[str, Any] = {
        "document_kind": DocumentKind.INVOICE,
        "invoice_number": number,
        "issue_date": date(2026, 11, 1),
        "currency": "EUR",
        "total_without_tax": Decimal("100.00"),
        "total_tax": Decimal("19.00"),
        "total_with_tax": Decimal("119.00"),
        "seller": Party(name="Muster GmbH", tax_id="DE811907980", tax_id_type=TaxIdType.EU_VAT, country="DE"),
        "buyer": Party(name="北京示例科技有限公司"),
        "lines": tuple(
            Line(line_no=n, name=f"item {n}", quantity=Decimal(2), unit_price=Decimal(10), net_amount=Decimal("20.00"))
            for n in range(1, 6)
        ),
        "tax_breakdown": (TaxBreakdown(category="S", rate=Decimal(19), tax_amount=Decimal("19.00")),),
    }
    return Invoice(**values | changes)


def evidence(invoice: Invoice) -> tuple[FieldValue, ...]:
    def seen(text: str, source: Source, confidence: float) -> Candidate:
        box = Box(100, 50.5, 200, 60.25)
        return Candidate("invoice_number", text, text, source, confidence, 1, box, "Invoice No.", "test reader 1")

    number = invoice.invoice_number or "?"
    return (
        FieldValue(
            "invoice_number",
            FieldState.PRESENT,
            seen(number, Source.TEXT, 0.99),
            (seen("0", Source.OCR, 0.4),),
            "label",
        ),
        FieldValue("due_date", FieldState.ABSENT, None, (), "no such label on the page"),
    )


def extraction(invoice: Invoice | None = None, *, review_reasons: Sequence[str] = ()) -> NewExtraction:
    body = invoice or an_invoice()
    return NewExtraction(body, evidence(body), "invoice_en", tuple(review_reasons))


def a_finding(rule_id: str = "BR-CO-15", outcome: Outcome = Outcome.FAILED, **changes: Any) -> Finding:
    values: dict[str, Any] = {
        "rule_id": rule_id,
        "severity": Severity.ERROR,
        "outcome": outcome,
        "fields": ("total_with_tax",),
        "expected": "119.00",
        "actual": "120.00",
        "difference": "1.00",
        "message": "Net and tax do not add up to the total: look at the totals.",
    }
    return Finding(**values | changes)


PASSED = a_finding(outcome=Outcome.PASSED, message="")


def open_run(store: Store, run_id: str = "scheduled__1") -> str:
    return store.open_batch("invoice_intake", run_id, run_type="scheduled", window=WINDOW)


def receive(store: Store, batch_id: str, key: str, *documents: NewDocument, hour: float = 9) -> str:
    """A mail with documents, entered, given to the run and unpacked; its item id."""
    item_id, _ = store.record_item(*fetched(key, hour=hour))
    store.assign_shards(batch_id, ["mailbox"], WINDOW)
    store.record_unpacked(item_id, documents, batch_id=batch_id)
    return item_id


def validated(
    store: Store,
    batch_id: str,
    content: str,
    invoice: Invoice | None = None,
    *,
    hour: float = 9,
    findings: Sequence[Finding] = (PASSED,),
    review_reasons: Sequence[str] = (),
) -> str:
    """One mail with one document that was read and validated; its invoice id."""
    item_id = receive(store, batch_id, f"mail {content}", a_document(content), hour=hour)
    invoice_id = store.documents_of_item(item_id)[0].invoice_id
    store.record_extraction(invoice_id, extraction(invoice, review_reasons=review_reasons))
    store.record_findings(invoice_id, findings, "rules 1")
    return invoice_id

"""Real invoices with a text layer, when they lie beside the checkout: the floor of what must come out right."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from decimal import Decimal

import pytest

from hunyuan_ocr.extraction.prompts import PromptProfile
from hunyuan_ocr.extraction.reconcile import reconcile
from hunyuan_ocr.model.invoice import DocumentKind, Invoice
from hunyuan_ocr.readers.document import read_document
from tests.shared_documents import shared_data_dir

_FIELDS = {
    "invoice_number": "invoice_number",
    "issue_date": "issue_date",
    "total_amount": "total_with_tax",
    "seller_tax_id": "seller.tax_id",
}


def _verdict(invoice: Invoice, path: str, wanted: str) -> str:
    value: object = invoice
    for part in path.split("."):
        value = getattr(value, part)
    if value is None:
        return "missing"
    if isinstance(value, Decimal):
        same = abs(value) == abs(Decimal(wanted))
        # A credit note is stored negative and printed either way.
        return "right" if same and (invoice.document_kind is DocumentKind.CREDIT_NOTE or value >= 0) else "wrong"
    got, want = (unicodedata.normalize("NFKC", str(text)).casefold().replace(" ", "") for text in (value, wanted))
    return "right" if got == want else "wrong"


@pytest.mark.shared_documents
def test_text_layer_documents_reach_the_floor(profiles: tuple[PromptProfile, ...]) -> None:
    folder = shared_data_dir()
    counts: Counter[str] = Counter()
    for entry in json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]:
        truth = entry.get("ground_truth")
        if not entry.get("text_layer") or not isinstance(truth, dict) or not entry["file"].endswith(".pdf"):
            continue
        raw = (folder / entry["file"]).read_bytes()
        invoice = reconcile(read_document(raw, "application/pdf", None), profiles=profiles).invoice
        counts.update(_verdict(invoice, path, truth[key]) for key, path in _FIELDS.items() if key in truth)
    assert counts["right"] >= 0.95 * counts.total()
    assert counts["wrong"] <= 0.05 * (counts["right"] + counts["wrong"])

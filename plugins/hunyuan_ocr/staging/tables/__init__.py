"""All tables: ``pipeline`` is ours, ``contract`` is what the ERP team reads."""

from __future__ import annotations

from hunyuan_ocr.staging.tables.base import metadata
from hunyuan_ocr.staging.tables.contract import (
    CONTRACT_TABLES,
    stg_batch,
    stg_invoice,
    stg_invoice_charge,
    stg_invoice_line,
    stg_invoice_payment,
    stg_invoice_tax,
    stg_rejection,
)
from hunyuan_ocr.staging.tables.pipeline import (
    ItemStatus,
    document,
    event,
    field_value,
    finding,
    invoice,
    page,
    page_answer,
    page_reading,
    run_item,
    source_item,
)

__all__ = [
    "CONTRACT_TABLES",
    "ItemStatus",
    "document",
    "event",
    "field_value",
    "finding",
    "invoice",
    "metadata",
    "page",
    "page_answer",
    "page_reading",
    "run_item",
    "source_item",
    "stg_batch",
    "stg_invoice",
    "stg_invoice_charge",
    "stg_invoice_line",
    "stg_invoice_payment",
    "stg_invoice_tax",
    "stg_rejection",
]

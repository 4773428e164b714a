"""The pipeline store: what arrived, what was read, what was decided. Ours alone; the ERP team reads ``contract``."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BigInteger, Column, Date, ForeignKeyConstraint, Index, Integer, Table, UniqueConstraint, text

from hunyuan_ocr.model.documents import DocumentRole
from hunyuan_ocr.staging.column_types import JsonText, LongWords, UtcDateTime, flag, money, share
from hunyuan_ocr.staging.lifecycle import Status
from hunyuan_ocr.staging.tables.base import (
    code_column,
    id_column,
    long_column,
    metadata,
    one_of,
    sha_column,
    words_column,
)


class ItemStatus(StrEnum):
    """RECEIVED: archived. UNPACKED: its documents are known. SETTLED: the source was told the verdict."""

    RECEIVED = "RECEIVED"
    UNPACKED = "UNPACKED"
    SETTLED = "SETTLED"


source_item = Table(
    "source_item",
    metadata,
    id_column("item_id", "UUIDv5 of source code and external key", primary_key=True),
    code_column("source_code", 100, "source as declared in the sources file", nullable=False),
    long_column("external_key", "ledger key at the source; unique within it (item_id is made of both)", nullable=False),
    Column("received_at", UtcDateTime, nullable=False, comment="INTERNALDATE or mtime, UTC"),
    Column("first_seen_at", UtcDateTime, nullable=False, comment="when the ledger row was written, UTC"),
    sha_column("raw_sha256", "of the raw bytes, before any processing", nullable=False),
    long_column("raw_uri", "where the archive keeps the raw bytes", nullable=False),
    Column("size_bytes", BigInteger, nullable=False, comment="length of the raw bytes"),
    Column("is_mail", flag(), nullable=False, comment="1: a mail, 0: a file"),
    long_column("file_name", "file name, or empty for a mail", nullable=False),
    words_column("sender", 320, "address of the sender of a mail"),
    long_column("message_id", "Message-ID of a mail"),
    sha_column("subject_hash", "SHA-256 of the subject: recognisable, not readable"),
    code_column("status", 10, "RECEIVED, UNPACKED, SETTLED", nullable=False),
    code_column("verdict", 20, "what the source was told when it was settled"),
    Column("error_text", LongWords, comment="why the item could not be unpacked at all"),
    one_of("status", ItemStatus, "ck_source_item_status"),
    Index("ix_source_item_received", "source_code", "received_at"),
    Index("ix_source_item_status", "status"),
    comment="One mail or one file, as received. Written after the raw bytes are archived.",
)

document = Table(
    "document",
    metadata,
    id_column("document_id", "UUIDv5 of item and part path", primary_key=True),
    id_column("item_id", "the source item it came in", nullable=False),
    long_column("part_path", "place inside the mail or archive", nullable=False),
    long_column("file_name", "file name as sent", nullable=False),
    code_column("media_type", 127, "sniffed from the content", nullable=False),
    Column("size_bytes", BigInteger, nullable=False, comment="length of the document's bytes"),
    sha_column("content_sha256", "of the document's bytes", nullable=False),
    long_column("blob_uri", "where the archive keeps the bytes", nullable=False),
    code_column("doc_role", 10, "PRIMARY, RENDITION, DUPLICATE, ATTACHMENT, IGNORED", nullable=False),
    words_column("reason", 500, "why it has that role", nullable=False),
    id_column("first_document_id", "the document it duplicates or accompanies"),
    Column("n_pages", Integer, comment="pages, once counted"),
    code_column("problem_code", 20, "why it cannot be used, as a code"),
    Column("problem", LongWords, comment="why it cannot be used and what to do"),
    ForeignKeyConstraint(["item_id"], ["source_item.item_id"], name="fk_document_item"),
    one_of("doc_role", DocumentRole, "ck_document_role"),
    Index("ix_document_item", "item_id"),
    Index("ix_document_content", "content_sha256"),
    comment="One file after unpacking.",
)

run_item = Table(
    "run_item",
    metadata,
    id_column("batch_id", "the run", primary_key=True),
    id_column("item_id", "the source item it works on", primary_key=True),
    Column("shard_no", Integer, nullable=False, comment="which task of the run, from 0"),
    ForeignKeyConstraint(["item_id"], ["source_item.item_id"], name="fk_run_item_item"),
    Index("ix_run_item_shard", "batch_id", "shard_no"),
    Index("ix_run_item_item", "item_id"),
    comment="Which source items a run works on, and in which shard. Kept when the run is repeated.",
)

page = Table(
    "page",
    metadata,
    sha_column("content_sha256", "of the document's bytes", primary_key=True),
    Column("page_no", Integer, primary_key=True, autoincrement=False, comment="from 1"),
    Column(
        "needs_eyes", flag(), nullable=False, comment="1: no trustworthy text layer, a reader of pictures must look"
    ),
    words_column("reason", 200, "why", nullable=False),
    Column("width", share(), nullable=False, comment="of the upright page, points or pixels"),
    Column("height", share(), nullable=False, comment="of the upright page, points or pixels"),
    Column("rotation", Integer, nullable=False, comment="degrees clockwise to stand upright"),
    comment="What is known of a page before it is read.",
)

page_reading = Table(
    "page_reading",
    metadata,
    sha_column("content_sha256", "of the document's bytes", primary_key=True),
    Column("page_no", Integer, primary_key=True, autoincrement=False, comment="from 1"),
    code_column("engine_key", 200, "reader, versions, settings, prompt and pixel budget", primary_key=True),
    code_column("reader", 20, "text_layer, rapidocr, hunyuan", nullable=False),
    Column("reading_json", JsonText, nullable=False, comment="the reading: spans with boxes and confidences"),
    Column("created_at", UtcDateTime, nullable=False, comment="UTC"),
    comment="Journal and cache of readings: each page is committed as soon as it is read.",
)

page_answer = Table(
    "page_answer",
    metadata,
    sha_column("content_sha256", "of the document's bytes", primary_key=True),
    Column("page_no", Integer, primary_key=True, autoincrement=False, comment="from 1"),
    code_column("reading_key", 200, "engine_key of the page's reading", primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False, comment="which picture of the page, from 1"),
    code_column("task", 20, "spotting, fields, table, parsing, translation", primary_key=True),
    Column("ask_no", Integer, primary_key=True, autoincrement=False, comment="from 1, in the order asked, per attempt"),
    words_column("prompt_profile", 100, "prompt profile that gave the labels"),
    Column("keys_json", JsonText, nullable=False, comment="labels asked for, in order"),
    code_column("engine_key", 200, "model, revision, runtime and versions", nullable=False),
    sha_column("prompt_sha256", "of the prompt's words and sampling", nullable=False),
    sha_column("answer_key", "of engine key, picture and prompt: the same question has the same", nullable=False),
    Column("picture_width", Integer, nullable=False, comment="of the picture asked about, pixels"),
    Column("picture_height", Integer, nullable=False, comment="of the picture asked about, pixels"),
    Column("rotation", Integer, nullable=False, comment="degrees clockwise the stored page was turned"),
    long_column("answer_text", "what the model said, word for word; null when it said nothing"),
    code_column("finish_reason", 20, "stop, length, repetition", nullable=False),
    Column("prompt_tokens", Integer, nullable=False, comment="as the engine counts them, picture included"),
    Column("completion_tokens", Integer, nullable=False, comment="as the engine counts them"),
    Column("seconds", share(), nullable=False, comment="from asking to the last token"),
    Column("is_cached", flag(), nullable=False, comment="1: a cache answered, not the engine"),
    Column("is_kept", flag(), nullable=False, comment="1: the reading was taken from this attempt"),
    code_column("problem", 40, "what is wrong with the answer; null when nothing is"),
    Column("created_at", UtcDateTime, nullable=False, comment="UTC"),
    ForeignKeyConstraint(
        ["content_sha256", "page_no", "reading_key"],
        ["page_reading.content_sha256", "page_reading.page_no", "page_reading.engine_key"],
        name="fk_page_answer_reading",
        ondelete="CASCADE",
    ),
    Index("ix_page_answer_key", "answer_key"),
    comment="What a vision model was asked about a page and what it said; committed with the page's reading.",
)

invoice = Table(
    "invoice",
    metadata,
    id_column("invoice_id", "UUIDv5 of the document's bytes", primary_key=True),
    sha_column("content_sha256", "of the document's bytes", nullable=False),
    id_column("primary_document_id", "the document it was read from", nullable=False),
    id_column("batch_id", "the run that first received it"),
    code_column("status", 12, "state of the life cycle", nullable=False),
    words_column("status_reason", 500, "why it is in that state", nullable=False),
    id_column("related_invoice_id", "the invoice it duplicates or contradicts"),
    Column("lock_version", Integer, nullable=False, comment="goes up by one with every change of state"),
    sha_column("business_key", "what makes it the same invoice whatever the file"),
    sha_column("active_key", "the business key while it occupies it, else null"),
    sha_column("payload_hash", "of the canonical body"),
    sha_column("evidence_hash", "of field values, profile and review reasons"),
    code_column("document_kind", 12, "invoice, credit_note, …"),
    words_column("invoice_number", 64, "BT-1"),
    Column("issue_date", Date, comment="BT-2"),
    code_column("currency", 3, "BT-5"),
    Column("total_with_tax", money(), comment="BT-112"),
    words_column("seller_name", 300, "BT-27, cut to fit: the body has all of it"),
    words_column("seller_tax_id", 64, "BT-31, cut to fit: the body has all of it"),
    Column("body_json", JsonText, comment="the canonical invoice"),
    Column("review_reasons_json", JsonText, comment="why extraction alone asks for review"),
    words_column("prompt_profile", 100, "prompt profile it was read with"),
    code_column("extracted_from", 5, "XML, OFD, CII, QR, TEXT, OCR, VLM, MIXED"),
    Column("confidence_min", share(), comment="lowest confidence of a chosen value, 0 to 1"),
    words_column("ruleset_version", 100, "rules it was last validated with"),
    Column("received_at", UtcDateTime, nullable=False, comment="of the source item, UTC"),
    Column("created_at", UtcDateTime, nullable=False, comment="UTC"),
    Column("updated_at", UtcDateTime, nullable=False, comment="UTC"),
    UniqueConstraint("content_sha256", name="uq_invoice_content"),
    Index("uq_invoice_active_key", "active_key", unique=True, mssql_where=text("active_key IS NOT NULL")),
    ForeignKeyConstraint(["primary_document_id"], ["document.document_id"], name="fk_invoice_document"),
    one_of("status", Status, "ck_invoice_status"),
    Index("ix_invoice_status", "status"),
    Index("ix_invoice_business_key", "business_key"),
    Index("ix_invoice_document", "primary_document_id"),
    Index("ix_invoice_number", "invoice_number"),
    comment="One reconciled invoice per distinct document, in exactly one state.",
)

field_value = Table(
    "field_value",
    metadata,
    id_column("invoice_id", "the invoice", primary_key=True),
    words_column("field_path", 100, "path into the canonical invoice", primary_key=True),
    Column(
        "seq",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="0: the chosen value, or none; then what it was chosen over",
    ),
    code_column("value_source", 6, "XML, OFD, CII, QR, TEXT, OCR, VLM, MASTER, HUMAN, RULE"),
    Column("value_raw", LongWords, comment="as printed"),
    Column("value_norm", LongWords, comment="canonical form"),
    code_column("field_state", 15, "present, absent, illegible, masked, not_applicable, derived", nullable=False),
    Column("page_no", Integer, comment="from 1"),
    Column("x0", share(), comment="page units, 0 to 1000"),
    Column("y0", share(), comment="page units, 0 to 1000"),
    Column("x1", share(), comment="page units, 0 to 1000"),
    Column("y1", share(), comment="page units, 0 to 1000"),
    Column("confidence", share(), comment="0 to 1"),
    Column("printed_label", LongWords, comment="the label on the page that vouches for it"),
    words_column("reader_version", 200, "who read it"),
    Column("chosen", flag(), nullable=False, comment="1: this value is in the invoice"),
    Column("reason", LongWords, comment="why it won, or why none did"),
    ForeignKeyConstraint(["invoice_id"], ["invoice.invoice_id"], name="fk_field_value_invoice"),
    comment="Provenance: which reader saw which value where, and what was chosen.",
)

finding = Table(
    "finding",
    metadata,
    id_column("invoice_id", "the invoice", primary_key=True),
    code_column("rule_id", 50, "stable id of the rule", primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False, comment="from 0, per rule"),
    code_column("severity", 5, "error, warn, info", nullable=False),
    code_column("outcome", 14, "passed, failed, not_applicable", nullable=False),
    Column("fields_json", JsonText, nullable=False, comment="field paths the rule looked at"),
    Column("expected", LongWords, comment="as text"),
    Column("actual", LongWords, comment="as text"),
    Column("difference", LongWords, comment="as text"),
    Column("message", LongWords, nullable=False, comment="what was wrong and what to do"),
    words_column("ruleset_version", 100, "rules it was found with", nullable=False),
    ForeignKeyConstraint(["invoice_id"], ["invoice.invoice_id"], name="fk_finding_invoice"),
    comment="What each rule said about an invoice, the last time it was validated.",
)

event = Table(
    "event",
    metadata,
    id_column("event_id", "UUIDv5 of entity and sequence number", primary_key=True),
    code_column("entity", 10, "invoice", nullable=False),
    id_column("entity_id", "id of the entity", nullable=False),
    Column("seq", Integer, nullable=False, comment="from 1, per entity"),
    code_column("from_status", 12, "empty for the first event", nullable=False),
    code_column("to_status", 12, "state after the event", nullable=False),
    words_column("actor", 100, "who did it", nullable=False),
    words_column("reason", 500, "why", nullable=False),
    sha_column("prev_hash", "hash of the entity's event before", nullable=False),
    sha_column("event_hash", "SHA-256 over this event and prev_hash", nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False, comment="UTC"),
    UniqueConstraint("entity_id", "seq", name="uq_event_entity_seq"),
    comment="Append-only audit trail; each event carries the hash of the one before.",
)

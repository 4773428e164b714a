"""The pipeline store: ledger, journal, invoices, audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hunyuan_ocr.staging.column_types import ExactNumeric, JsonText, LongWords, UtcDateTime, Words

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATUS_IS_KNOWN = (
    "status IN ('RECEIVED', 'EXTRACTED', 'VALIDATED', 'STAGED', 'REVIEW', 'DUPLICATE', 'QUARANTINED', 'REJECTED', "
    "'EXPORTING', 'POSTED', 'POST_FAILED', 'REVERSED', 'SUPERSEDED')"
)


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("event_id", sa.String(length=36), nullable=False, comment="UUIDv5 of entity and sequence number"),
        sa.Column("entity", sa.String(length=10), nullable=False, comment="invoice"),
        sa.Column("entity_id", sa.String(length=36), nullable=False, comment="id of the entity"),
        sa.Column("seq", sa.Integer(), nullable=False, comment="from 1, per entity"),
        sa.Column("from_status", sa.String(length=12), nullable=False, comment="empty for the first event"),
        sa.Column("to_status", sa.String(length=12), nullable=False, comment="state after the event"),
        sa.Column("actor", Words(100), nullable=False, comment="who did it"),
        sa.Column("reason", Words(500), nullable=False, comment="why"),
        sa.Column("prev_hash", sa.String(length=64), nullable=False, comment="hash of the entity's event before"),
        sa.Column("event_hash", sa.String(length=64), nullable=False, comment="SHA-256 over this event and prev_hash"),
        sa.Column("occurred_at", UtcDateTime(), nullable=False, comment="UTC"),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_event")),
        sa.UniqueConstraint("entity_id", "seq", name="uq_event_entity_seq"),
        comment="Append-only audit trail; each event carries the hash of the one before.",
    )
    op.create_table(
        "page",
        sa.Column("content_sha256", sa.String(length=64), nullable=False, comment="of the document's bytes"),
        sa.Column("page_no", sa.Integer(), autoincrement=False, nullable=False, comment="from 1"),
        sa.Column(
            "needs_eyes",
            sa.Integer(),
            nullable=False,
            comment="1: no trustworthy text layer, a reader of pictures must look",
        ),
        sa.Column("reason", Words(200), nullable=False, comment="why"),
        sa.Column("width", ExactNumeric(12, 4), nullable=False, comment="of the upright page, points or pixels"),
        sa.Column("height", ExactNumeric(12, 4), nullable=False, comment="of the upright page, points or pixels"),
        sa.Column("rotation", sa.Integer(), nullable=False, comment="degrees clockwise to stand upright"),
        sa.PrimaryKeyConstraint("content_sha256", "page_no", name=op.f("pk_page")),
        comment="What is known of a page before it is read.",
    )
    op.create_table(
        "page_reading",
        sa.Column("content_sha256", sa.String(length=64), nullable=False, comment="of the document's bytes"),
        sa.Column("page_no", sa.Integer(), autoincrement=False, nullable=False, comment="from 1"),
        sa.Column(
            "engine_key",
            sa.String(length=200),
            nullable=False,
            comment="reader, versions, settings, prompt and pixel budget",
        ),
        sa.Column("reader", sa.String(length=20), nullable=False, comment="text_layer, rapidocr, hunyuan"),
        sa.Column("reading_json", JsonText(), nullable=False, comment="the reading: spans with boxes and confidences"),
        sa.Column("created_at", UtcDateTime(), nullable=False, comment="UTC"),
        sa.PrimaryKeyConstraint("content_sha256", "page_no", "engine_key", name=op.f("pk_page_reading")),
        comment="Journal and cache of readings: each page is committed as soon as it is read.",
    )
    op.create_table(
        "source_item",
        sa.Column("item_id", sa.String(length=36), nullable=False, comment="UUIDv5 of source code and external key"),
        sa.Column(
            "source_code", sa.String(length=100), nullable=False, comment="source as declared in the sources file"
        ),
        sa.Column(
            "external_key",
            LongWords(),
            nullable=False,
            comment="ledger key at the source; unique within it (item_id is made of both)",
        ),
        sa.Column("received_at", UtcDateTime(), nullable=False, comment="INTERNALDATE or mtime, UTC"),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False, comment="when the ledger row was written, UTC"),
        sa.Column(
            "raw_sha256", sa.String(length=64), nullable=False, comment="of the raw bytes, before any processing"
        ),
        sa.Column("raw_uri", LongWords(), nullable=False, comment="where the archive keeps the raw bytes"),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False, comment="length of the raw bytes"),
        sa.Column("is_mail", sa.Integer(), nullable=False, comment="1: a mail, 0: a file"),
        sa.Column("file_name", LongWords(), nullable=False, comment="file name, or empty for a mail"),
        sa.Column("sender", Words(320), nullable=True, comment="address of the sender of a mail"),
        sa.Column("message_id", LongWords(), nullable=True, comment="Message-ID of a mail"),
        sa.Column(
            "subject_hash",
            sa.String(length=64),
            nullable=True,
            comment="SHA-256 of the subject: recognisable, not readable",
        ),
        sa.Column("status", sa.String(length=10), nullable=False, comment="RECEIVED, UNPACKED, SETTLED"),
        sa.Column(
            "verdict", sa.String(length=20), nullable=True, comment="what the source was told when it was settled"
        ),
        sa.Column("error_text", LongWords(), nullable=True, comment="why the item could not be unpacked at all"),
        sa.CheckConstraint("status IN ('RECEIVED', 'UNPACKED', 'SETTLED')", name="ck_source_item_status"),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_source_item")),
        comment="One mail or one file, as received. Written after the raw bytes are archived.",
    )
    op.create_index("ix_source_item_received", "source_item", ["source_code", "received_at"], unique=False)
    op.create_index("ix_source_item_status", "source_item", ["status"], unique=False)
    op.create_table(
        "document",
        sa.Column("document_id", sa.String(length=36), nullable=False, comment="UUIDv5 of item and part path"),
        sa.Column("item_id", sa.String(length=36), nullable=False, comment="the source item it came in"),
        sa.Column("part_path", LongWords(), nullable=False, comment="place inside the mail or archive"),
        sa.Column("file_name", LongWords(), nullable=False, comment="file name as sent"),
        sa.Column("media_type", sa.String(length=127), nullable=False, comment="sniffed from the content"),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False, comment="length of the document's bytes"),
        sa.Column("content_sha256", sa.String(length=64), nullable=False, comment="of the document's bytes"),
        sa.Column("blob_uri", LongWords(), nullable=False, comment="where the archive keeps the bytes"),
        sa.Column(
            "doc_role",
            sa.String(length=10),
            nullable=False,
            comment="PRIMARY, RENDITION, DUPLICATE, ATTACHMENT, IGNORED",
        ),
        sa.Column("reason", Words(500), nullable=False, comment="why it has that role"),
        sa.Column(
            "first_document_id",
            sa.String(length=36),
            nullable=True,
            comment="the document it duplicates or accompanies",
        ),
        sa.Column("n_pages", sa.Integer(), nullable=True, comment="pages, once counted"),
        sa.Column("problem_code", sa.String(length=20), nullable=True, comment="why it cannot be used, as a code"),
        sa.Column("problem", LongWords(), nullable=True, comment="why it cannot be used and what to do"),
        sa.CheckConstraint(
            "doc_role IN ('PRIMARY', 'RENDITION', 'DUPLICATE', 'ATTACHMENT', 'IGNORED')", name="ck_document_role"
        ),
        sa.ForeignKeyConstraint(["item_id"], ["source_item.item_id"], name="fk_document_item"),
        sa.PrimaryKeyConstraint("document_id", name=op.f("pk_document")),
        comment="One file after unpacking.",
    )
    op.create_index("ix_document_content", "document", ["content_sha256"], unique=False)
    op.create_index("ix_document_item", "document", ["item_id"], unique=False)
    op.create_table(
        "run_item",
        sa.Column("batch_id", sa.String(length=36), nullable=False, comment="the run"),
        sa.Column("item_id", sa.String(length=36), nullable=False, comment="the source item it works on"),
        sa.Column("shard_no", sa.Integer(), nullable=False, comment="which task of the run, from 0"),
        sa.ForeignKeyConstraint(["item_id"], ["source_item.item_id"], name="fk_run_item_item"),
        sa.PrimaryKeyConstraint("batch_id", "item_id", name=op.f("pk_run_item")),
        comment="Which source items a run works on, and in which shard. Kept when the run is repeated.",
    )
    op.create_index("ix_run_item_item", "run_item", ["item_id"], unique=False)
    op.create_index("ix_run_item_shard", "run_item", ["batch_id", "shard_no"], unique=False)
    op.create_table(
        "invoice",
        sa.Column("invoice_id", sa.String(length=36), nullable=False, comment="UUIDv5 of the document's bytes"),
        sa.Column("content_sha256", sa.String(length=64), nullable=False, comment="of the document's bytes"),
        sa.Column("primary_document_id", sa.String(length=36), nullable=False, comment="the document it was read from"),
        sa.Column("batch_id", sa.String(length=36), nullable=True, comment="the run that first received it"),
        sa.Column("status", sa.String(length=12), nullable=False, comment="state of the life cycle"),
        sa.Column("status_reason", Words(500), nullable=False, comment="why it is in that state"),
        sa.Column(
            "related_invoice_id",
            sa.String(length=36),
            nullable=True,
            comment="the invoice it duplicates or contradicts",
        ),
        sa.Column("lock_version", sa.Integer(), nullable=False, comment="goes up by one with every change of state"),
        sa.Column(
            "business_key",
            sa.String(length=64),
            nullable=True,
            comment="what makes it the same invoice whatever the file",
        ),
        sa.Column(
            "active_key",
            sa.String(length=64),
            nullable=True,
            comment="the business key while it occupies it, else null",
        ),
        sa.Column("payload_hash", sa.String(length=64), nullable=True, comment="of the canonical body"),
        sa.Column(
            "evidence_hash", sa.String(length=64), nullable=True, comment="of field values, profile and review reasons"
        ),
        sa.Column("document_kind", sa.String(length=12), nullable=True, comment="invoice, credit_note, …"),
        sa.Column("invoice_number", Words(64), nullable=True, comment="BT-1"),
        sa.Column("issue_date", sa.Date(), nullable=True, comment="BT-2"),
        sa.Column("currency", sa.String(length=3), nullable=True, comment="BT-5"),
        sa.Column("total_with_tax", ExactNumeric(23, 8), nullable=True, comment="BT-112"),
        sa.Column("seller_name", Words(300), nullable=True, comment="BT-27, cut to fit: the body has all of it"),
        sa.Column("seller_tax_id", Words(64), nullable=True, comment="BT-31, cut to fit: the body has all of it"),
        sa.Column("body_json", JsonText(), nullable=True, comment="the canonical invoice"),
        sa.Column("review_reasons_json", JsonText(), nullable=True, comment="why extraction alone asks for review"),
        sa.Column("prompt_profile", Words(100), nullable=True, comment="prompt profile it was read with"),
        sa.Column(
            "extracted_from", sa.String(length=5), nullable=True, comment="XML, OFD, CII, QR, TEXT, OCR, VLM, MIXED"
        ),
        sa.Column(
            "confidence_min", ExactNumeric(12, 4), nullable=True, comment="lowest confidence of a chosen value, 0 to 1"
        ),
        sa.Column("ruleset_version", Words(100), nullable=True, comment="rules it was last validated with"),
        sa.Column("received_at", UtcDateTime(), nullable=False, comment="of the source item, UTC"),
        sa.Column("created_at", UtcDateTime(), nullable=False, comment="UTC"),
        sa.Column("updated_at", UtcDateTime(), nullable=False, comment="UTC"),
        sa.CheckConstraint(_STATUS_IS_KNOWN, name="ck_invoice_status"),
        sa.ForeignKeyConstraint(["primary_document_id"], ["document.document_id"], name="fk_invoice_document"),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_invoice")),
        sa.UniqueConstraint("content_sha256", name="uq_invoice_content"),
        comment="One reconciled invoice per distinct document, in exactly one state.",
    )
    op.create_index("ix_invoice_business_key", "invoice", ["business_key"], unique=False)
    op.create_index("ix_invoice_document", "invoice", ["primary_document_id"], unique=False)
    op.create_index("ix_invoice_number", "invoice", ["invoice_number"], unique=False)
    op.create_index("ix_invoice_status", "invoice", ["status"], unique=False)
    op.create_index(
        "uq_invoice_active_key", "invoice", ["active_key"], unique=True, mssql_where=sa.text("active_key IS NOT NULL")
    )
    op.create_table(
        "field_value",
        sa.Column("invoice_id", sa.String(length=36), nullable=False, comment="the invoice"),
        sa.Column("field_path", Words(100), nullable=False, comment="path into the canonical invoice"),
        sa.Column(
            "seq",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="0: the chosen value, or none; then what it was chosen over",
        ),
        sa.Column(
            "value_source",
            sa.String(length=6),
            nullable=True,
            comment="XML, OFD, CII, QR, TEXT, OCR, VLM, MASTER, HUMAN, RULE",
        ),
        sa.Column("value_raw", LongWords(), nullable=True, comment="as printed"),
        sa.Column("value_norm", LongWords(), nullable=True, comment="canonical form"),
        sa.Column(
            "field_state",
            sa.String(length=15),
            nullable=False,
            comment="present, absent, illegible, masked, not_applicable, derived",
        ),
        sa.Column("page_no", sa.Integer(), nullable=True, comment="from 1"),
        sa.Column("x0", ExactNumeric(12, 4), nullable=True, comment="page units, 0 to 1000"),
        sa.Column("y0", ExactNumeric(12, 4), nullable=True, comment="page units, 0 to 1000"),
        sa.Column("x1", ExactNumeric(12, 4), nullable=True, comment="page units, 0 to 1000"),
        sa.Column("y1", ExactNumeric(12, 4), nullable=True, comment="page units, 0 to 1000"),
        sa.Column("confidence", ExactNumeric(12, 4), nullable=True, comment="0 to 1"),
        sa.Column("printed_label", LongWords(), nullable=True, comment="the label on the page that vouches for it"),
        sa.Column("reader_version", Words(200), nullable=True, comment="who read it"),
        sa.Column("chosen", sa.Integer(), nullable=False, comment="1: this value is in the invoice"),
        sa.Column("reason", LongWords(), nullable=True, comment="why it won, or why none did"),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.invoice_id"], name="fk_field_value_invoice"),
        sa.PrimaryKeyConstraint("invoice_id", "field_path", "seq", name=op.f("pk_field_value")),
        comment="Provenance: which reader saw which value where, and what was chosen.",
    )
    op.create_table(
        "finding",
        sa.Column("invoice_id", sa.String(length=36), nullable=False, comment="the invoice"),
        sa.Column("rule_id", sa.String(length=50), nullable=False, comment="stable id of the rule"),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False, comment="from 0, per rule"),
        sa.Column("severity", sa.String(length=5), nullable=False, comment="error, warn, info"),
        sa.Column("outcome", sa.String(length=14), nullable=False, comment="passed, failed, not_applicable"),
        sa.Column("fields_json", JsonText(), nullable=False, comment="field paths the rule looked at"),
        sa.Column("expected", LongWords(), nullable=True, comment="as text"),
        sa.Column("actual", LongWords(), nullable=True, comment="as text"),
        sa.Column("difference", LongWords(), nullable=True, comment="as text"),
        sa.Column("message", LongWords(), nullable=False, comment="what was wrong and what to do"),
        sa.Column("ruleset_version", Words(100), nullable=False, comment="rules it was found with"),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.invoice_id"], name="fk_finding_invoice"),
        sa.PrimaryKeyConstraint("invoice_id", "rule_id", "seq", name=op.f("pk_finding")),
        comment="What each rule said about an invoice, the last time it was validated.",
    )


def downgrade() -> None:
    op.drop_table("finding")
    op.drop_table("field_value")
    op.drop_table("invoice")
    op.drop_table("run_item")
    op.drop_table("document")
    op.drop_table("source_item")
    op.drop_table("page_reading")
    op.drop_table("page")
    op.drop_table("event")

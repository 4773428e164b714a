"""The staging tables: the contract with the ERP team."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hunyuan_ocr.staging.column_types import ExactNumeric, LongWords, UtcDateTime, Words

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATUS_IS_KNOWN = (
    "status IN ('RECEIVED', 'EXTRACTED', 'VALIDATED', 'STAGED', 'REVIEW', 'DUPLICATE', 'QUARANTINED', 'REJECTED', "
    "'EXPORTING', 'POSTED', 'POST_FAILED', 'REVERSED', 'SUPERSEDED')"
)


def upgrade() -> None:
    op.create_table(
        "stg_batch",
        sa.Column("batch_id", sa.String(length=36), nullable=False, comment="UUIDv5 of DAG and run"),
        sa.Column("dag_id", Words(250), nullable=False, comment="DAG"),
        sa.Column("run_id", Words(250), nullable=False, comment="DAG run"),
        sa.Column("run_type", sa.String(length=30), nullable=False, comment="scheduled, manual, backfill, …"),
        sa.Column("window_start", UtcDateTime(), nullable=True, comment="first instant of the interval collected, UTC"),
        sa.Column("window_end", UtcDateTime(), nullable=True, comment="first instant after the interval, UTC"),
        sa.Column("logical_date", UtcDateTime(), nullable=True, comment="logical date of the run, if it has one, UTC"),
        sa.Column("started_at", UtcDateTime(), nullable=False, comment="UTC"),
        sa.Column("finished_at", UtcDateTime(), nullable=True, comment="UTC"),
        sa.Column("n_docs", sa.Integer(), nullable=True, comment="documents that make an invoice"),
        sa.Column("n_staged", sa.Integer(), nullable=True, comment="invoices staged"),
        sa.Column("n_review", sa.Integer(), nullable=True, comment="invoices that a person must look at"),
        sa.Column("n_rejected", sa.Integer(), nullable=True, comment="invoices rejected by a person"),
        sa.Column("n_duplicate", sa.Integer(), nullable=True, comment="documents and invoices known already"),
        sa.Column("n_quarantined", sa.Integer(), nullable=True, comment="documents that cannot be used"),
        sa.Column(
            "alert_hash", sa.String(length=64), nullable=True, comment="of what people were last told about the run"
        ),
        sa.Column("plugin_version", Words(50), nullable=True, comment="version of this package"),
        sa.Column("model_name", Words(200), nullable=True, comment="vision model, if one was used"),
        sa.Column("model_revision", Words(100), nullable=True, comment="its revision"),
        sa.Column("prompt_version", Words(100), nullable=True, comment="version of the prompt profiles"),
        sa.Column("ruleset_version", Words(100), nullable=True, comment="version of the rules"),
        sa.Column("status", sa.String(length=6), nullable=False, comment="OPEN, CLOSED, FAILED"),
        sa.CheckConstraint("status IN ('OPEN', 'CLOSED', 'FAILED')", name="ck_stg_batch_status"),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_stg_batch")),
        comment="One run of the pipeline.",
    )
    op.create_table(
        "stg_invoice",
        sa.Column(
            "invoice_id",
            sa.String(length=36),
            nullable=False,
            comment="UUIDv5 of the document's bytes: the same document has the same id",
        ),
        sa.Column("batch_id", sa.String(length=36), nullable=False, comment="the run that staged it"),
        sa.Column(
            "status",
            sa.String(length=12),
            nullable=False,
            comment="STAGED: take it. Anything else: hands off (see v_stg_ready)",
        ),
        sa.Column("status_reason", Words(500), nullable=False, comment="why it is in that state"),
        sa.Column("lock_version", sa.Integer(), nullable=False, comment="goes up by one with every change of state"),
        sa.Column(
            "business_key",
            sa.String(length=64),
            nullable=True,
            comment="what makes it the same invoice whatever the file; null without a number",
        ),
        sa.Column(
            "payload_hash",
            sa.String(length=64),
            nullable=False,
            comment="of the invoice's content: changes when, and only when, a value changes",
        ),
        sa.Column("content_sha256", sa.String(length=64), nullable=False, comment="of the document's bytes"),
        sa.Column("archive_uri", LongWords(), nullable=False, comment="where the archive keeps the document"),
        sa.Column("file_name", LongWords(), nullable=False, comment="file name as sent"),
        sa.Column("source_code", sa.String(length=100), nullable=False, comment="source it came from"),
        sa.Column("received_at", UtcDateTime(), nullable=False, comment="when the mail or file arrived, UTC"),
        sa.Column("staged_at", UtcDateTime(), nullable=False, comment="when this content was staged, UTC"),
        sa.Column(
            "extracted_from", sa.String(length=5), nullable=False, comment="XML, OFD, CII, QR, TEXT, OCR, VLM, MIXED"
        ),
        sa.Column("confidence_min", ExactNumeric(12, 4), nullable=True, comment="lowest confidence of a value, 0 to 1"),
        sa.Column("prompt_profile", Words(100), nullable=True, comment="prompt profile it was read with"),
        sa.Column(
            "document_kind",
            sa.String(length=12),
            nullable=False,
            comment="invoice, credit_note, debit_note, receipt, statement, other",
        ),
        sa.Column("invoice_type_code", Words(10), nullable=True, comment="BT-3: UNTDID 1001"),
        sa.Column("cn_invoice_type", Words(2), nullable=True, comment="发票种类代码: 01, 04, 08, 10, 31, 32, …"),
        sa.Column(
            "invoice_number", Words(64), nullable=True, comment="BT-1: text; leading zeros and all 20 digits count"
        ),
        sa.Column("cn_invoice_code", Words(12), nullable=True, comment="发票代码"),
        sa.Column(
            "cn_einvoice_number", Words(20), nullable=True, comment="数电票号码 of a paper copy (types 85 to 88)"
        ),
        sa.Column("issue_date", sa.Date(), nullable=True, comment="BT-2"),
        sa.Column("tax_point_date", sa.Date(), nullable=True, comment="BT-7"),
        sa.Column("delivery_date", sa.Date(), nullable=True, comment="BT-72"),
        sa.Column("period_start", sa.Date(), nullable=True, comment="BT-73"),
        sa.Column("period_end", sa.Date(), nullable=True, comment="BT-74"),
        sa.Column("due_date", sa.Date(), nullable=True, comment="BT-9"),
        sa.Column("currency", sa.String(length=3), nullable=True, comment="BT-5: ISO 4217"),
        sa.Column("tax_currency", sa.String(length=3), nullable=True, comment="BT-6: ISO 4217"),
        sa.Column("exchange_rate", ExactNumeric(18, 9), nullable=True, comment="as printed"),
        sa.Column("buyer_reference", Words(100), nullable=True, comment="BT-10"),
        sa.Column("project_ref", Words(100), nullable=True, comment="BT-11"),
        sa.Column("contract_ref", Words(100), nullable=True, comment="BT-12"),
        sa.Column("purchase_order_ref", Words(100), nullable=True, comment="BT-13"),
        sa.Column("sales_order_ref", Words(100), nullable=True, comment="BT-14"),
        sa.Column("receipt_advice_ref", Words(100), nullable=True, comment="BT-15"),
        sa.Column("despatch_ref", Words(100), nullable=True, comment="BT-16"),
        sa.Column("preceding_invoice_number", Words(64), nullable=True, comment="BT-25"),
        sa.Column("preceding_invoice_code", Words(12), nullable=True, comment="发票代码 of the preceding invoice"),
        sa.Column("preceding_invoice_date", sa.Date(), nullable=True, comment="BT-26"),
        sa.Column("note", LongWords(), nullable=True, comment="BT-22, 备注"),
        sa.Column("payment_terms", LongWords(), nullable=True, comment="BT-20"),
        sa.Column("sum_of_lines", ExactNumeric(23, 8), nullable=True, comment="BT-106"),
        sa.Column("allowances_total", ExactNumeric(23, 8), nullable=True, comment="BT-107"),
        sa.Column("charges_total", ExactNumeric(23, 8), nullable=True, comment="BT-108"),
        sa.Column("total_without_tax", ExactNumeric(23, 8), nullable=True, comment="BT-109"),
        sa.Column("total_tax", ExactNumeric(23, 8), nullable=True, comment="BT-110"),
        sa.Column("total_tax_acc", ExactNumeric(23, 8), nullable=True, comment="BT-111: in the tax currency"),
        sa.Column("total_with_tax", ExactNumeric(23, 8), nullable=True, comment="BT-112: a credit note is negative"),
        sa.Column("paid_amount", ExactNumeric(23, 8), nullable=True, comment="BT-113"),
        sa.Column(
            "rounding_amount", ExactNumeric(23, 8), nullable=True, comment="BT-114: post it, or one cent never settles"
        ),
        sa.Column("amount_due", ExactNumeric(23, 8), nullable=True, comment="BT-115"),
        sa.Column("cn_amount_in_words", Words(200), nullable=True, comment="价税合计（大写）"),
        sa.Column("cn_check_code", Words(32), nullable=True, comment="校验码"),
        sa.Column("cn_machine_number", Words(32), nullable=True, comment="机器编号"),
        sa.Column("cn_payee", Words(100), nullable=True, comment="收款人"),
        sa.Column("cn_reviewer", Words(100), nullable=True, comment="复核"),
        sa.Column("cn_drawer", Words(100), nullable=True, comment="开票人"),
        sa.Column("cn_special_business", Words(100), nullable=True, comment="特定业务"),
        sa.Column("cn_tax_bureau", Words(200), nullable=True, comment="税务局"),
        sa.Column("cn_is_red", sa.Integer(), nullable=True, comment="1: 红字, 0: 蓝字, null: not stated"),
        sa.Column("cn_red_notice_number", Words(64), nullable=True, comment="红字信息表或确认单编号"),
        sa.Column("cn_qr_raw", Words(500), nullable=True, comment="text of the QR code"),
        sa.Column(
            "cn_qr_crc_ok", sa.Integer(), nullable=True, comment="1: clean read proved, 0: not proved, null: no QR code"
        ),
        sa.Column(
            "authenticity",
            sa.String(length=16),
            nullable=False,
            comment="unverified, sig_ok, sig_bad, tax_platform_ok, tax_platform_bad",
        ),
        sa.Column("seller_name", Words(300), nullable=True, comment="BT-27: name of the seller"),
        sa.Column("seller_trading_name", Words(300), nullable=True, comment="BT-28: trading name"),
        sa.Column("seller_tax_id", Words(64), nullable=True, comment="BT-31: tax identifier"),
        sa.Column(
            "seller_tax_id_type",
            sa.String(length=10),
            nullable=True,
            comment="USCC, CN15, CN20, CN_RIC18, EU_VAT, GB_VAT, EIN, OTHER",
        ),
        sa.Column("seller_legal_id", Words(64), nullable=True, comment="BT-30: legal registration identifier"),
        sa.Column(
            "seller_legal_id_scheme", Words(32), nullable=True, comment="scheme of the legal registration identifier"
        ),
        sa.Column(
            "seller_party_id", Words(64), nullable=True, comment="BT-29: identifier given by the trading partner"
        ),
        sa.Column("seller_address", LongWords(), nullable=True, comment="BT-35: address lines, one a line"),
        sa.Column("seller_city", Words(100), nullable=True, comment="BT-37: city"),
        sa.Column("seller_postcode", Words(32), nullable=True, comment="BT-38: post code"),
        sa.Column("seller_subdivision", Words(100), nullable=True, comment="BT-39: province or state"),
        sa.Column("seller_country", sa.String(length=2), nullable=True, comment="BT-40: ISO 3166-1 alpha-2"),
        sa.Column("seller_phone", Words(64), nullable=True, comment="BT-42: telephone"),
        sa.Column("seller_email", Words(320), nullable=True, comment="BT-43: e-mail"),
        sa.Column("seller_cn_addr_phone", LongWords(), nullable=True, comment="地址、电话 as printed"),
        sa.Column("seller_cn_bank", LongWords(), nullable=True, comment="开户行及账号 as printed"),
        sa.Column("buyer_name", Words(300), nullable=True, comment="BT-44: name of the buyer"),
        sa.Column("buyer_trading_name", Words(300), nullable=True, comment="BT-45: trading name"),
        sa.Column("buyer_tax_id", Words(64), nullable=True, comment="BT-48: tax identifier"),
        sa.Column(
            "buyer_tax_id_type",
            sa.String(length=10),
            nullable=True,
            comment="USCC, CN15, CN20, CN_RIC18, EU_VAT, GB_VAT, EIN, OTHER",
        ),
        sa.Column("buyer_legal_id", Words(64), nullable=True, comment="BT-47: legal registration identifier"),
        sa.Column(
            "buyer_legal_id_scheme", Words(32), nullable=True, comment="scheme of the legal registration identifier"
        ),
        sa.Column("buyer_party_id", Words(64), nullable=True, comment="BT-46: identifier given by the trading partner"),
        sa.Column("buyer_address", LongWords(), nullable=True, comment="BT-50: address lines, one a line"),
        sa.Column("buyer_city", Words(100), nullable=True, comment="BT-52: city"),
        sa.Column("buyer_postcode", Words(32), nullable=True, comment="BT-53: post code"),
        sa.Column("buyer_subdivision", Words(100), nullable=True, comment="BT-54: province or state"),
        sa.Column("buyer_country", sa.String(length=2), nullable=True, comment="BT-55: ISO 3166-1 alpha-2"),
        sa.Column("buyer_phone", Words(64), nullable=True, comment="BT-57: telephone"),
        sa.Column("buyer_email", Words(320), nullable=True, comment="BT-58: e-mail"),
        sa.Column("buyer_cn_addr_phone", LongWords(), nullable=True, comment="地址、电话 as printed"),
        sa.Column("buyer_cn_bank", LongWords(), nullable=True, comment="开户行及账号 as printed"),
        sa.Column("payee_name", Words(300), nullable=True, comment="BT-59"),
        sa.Column("payee_party_id", Words(64), nullable=True, comment="BT-60"),
        sa.Column("payee_legal_id", Words(64), nullable=True, comment="BT-61"),
        sa.Column("tax_rep_name", Words(300), nullable=True, comment="BT-62"),
        sa.Column("tax_rep_tax_id", Words(64), nullable=True, comment="BT-63"),
        sa.Column("deliver_to_name", Words(300), nullable=True, comment="BT-70"),
        sa.Column(
            "deliver_to_address",
            LongWords(),
            nullable=True,
            comment="BT-75 to BT-79: address lines, post code, city, one a line",
        ),
        sa.Column("deliver_to_country", sa.String(length=2), nullable=True, comment="BT-80"),
        sa.Column(
            "erp_company_code",
            Words(50),
            nullable=True,
            comment="which of our companies it is for: legal_entity of the source",
        ),
        sa.Column("erp_vendor_id", Words(50), nullable=True, comment="filled by the ERP side"),
        sa.Column("erp_vendor_site", Words(50), nullable=True, comment="filled by the ERP side"),
        sa.Column("erp_vendor_match", Words(10), nullable=True, comment="TAX_ID, BANK, NAME, MANUAL"),
        sa.Column("erp_vendor_score", ExactNumeric(12, 4), nullable=True, comment="0 to 1"),
        sa.Column("erp_payment_terms", Words(50), nullable=True, comment="filled by the ERP side"),
        sa.Column("erp_doc_id", Words(50), nullable=True, comment="document number in the ERP"),
        sa.Column("erp_doc_year", sa.Integer(), nullable=True, comment="fiscal year in the ERP"),
        sa.Column("exported_at", UtcDateTime(), nullable=True, comment="UTC"),
        sa.Column("posted_at", UtcDateTime(), nullable=True, comment="UTC"),
        sa.CheckConstraint(_STATUS_IS_KNOWN, name="ck_stg_invoice_status"),
        sa.ForeignKeyConstraint(["batch_id"], ["stg_batch.batch_id"], name="fk_stg_invoice_batch"),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_stg_invoice")),
        comment="Header of an invoice that was staged at least once. Never deleted; its status says if it still is.",
    )
    op.create_index("ix_stg_invoice_batch", "stg_invoice", ["batch_id"], unique=False)
    op.create_index("ix_stg_invoice_key", "stg_invoice", ["business_key"], unique=False)
    op.create_index("ix_stg_invoice_status", "stg_invoice", ["status"], unique=False)
    op.create_table(
        "stg_rejection",
        sa.Column("rejection_id", sa.String(length=36), nullable=False, comment="UUIDv5 of invoice, rule and field"),
        sa.Column(
            "invoice_id", sa.String(length=36), nullable=False, comment="the invoice; it need not be in stg_invoice"
        ),
        sa.Column("batch_id", sa.String(length=36), nullable=False, comment="the run that rejected it"),
        sa.Column("rule_id", Words(50), nullable=False, comment="stable id of the rule"),
        sa.Column("severity", sa.String(length=5), nullable=False, comment="error, warn, info"),
        sa.Column("field_path", LongWords(), nullable=True, comment="the field or fields, separated by commas"),
        sa.Column("expected", LongWords(), nullable=True, comment="what the rule expected"),
        sa.Column("actual", LongWords(), nullable=True, comment="what the document has"),
        sa.Column("diff", LongWords(), nullable=True, comment="the difference"),
        sa.Column("message_en", LongWords(), nullable=False, comment="what was wrong and what to do"),
        sa.Column("file_name", LongWords(), nullable=False, comment="file name as sent"),
        sa.Column("source_code", sa.String(length=100), nullable=False, comment="source it came from"),
        sa.Column("invoice_number", Words(64), nullable=True, comment="as read"),
        sa.Column("seller_name", LongWords(), nullable=True, comment="as read"),
        sa.Column("related_invoice_id", sa.String(length=36), nullable=True, comment="the invoice it contradicts"),
        sa.Column("ruleset_version", Words(100), nullable=True, comment="rules it was found with"),
        sa.Column("created_at", UtcDateTime(), nullable=False, comment="UTC"),
        sa.Column("resolved_at", UtcDateTime(), nullable=True, comment="when it no longer applied, UTC; null: open"),
        sa.ForeignKeyConstraint(["batch_id"], ["stg_batch.batch_id"], name="fk_stg_rejection_batch"),
        sa.PrimaryKeyConstraint("rejection_id", name=op.f("pk_stg_rejection")),
        comment="Why an invoice is not staged: one row per finding that keeps it out.",
    )
    op.create_index("ix_stg_rejection_batch", "stg_rejection", ["batch_id"], unique=False)
    op.create_index("ix_stg_rejection_invoice", "stg_rejection", ["invoice_id"], unique=False)
    op.create_table(
        "stg_invoice_charge",
        sa.Column("invoice_id", sa.String(length=36), nullable=False, comment="the invoice"),
        sa.Column("charge_no", sa.Integer(), autoincrement=False, nullable=False, comment="position, from 1"),
        sa.Column("line_no", sa.Integer(), nullable=True, comment="line it belongs to; null: the whole invoice"),
        sa.Column(
            "is_charge", sa.Integer(), nullable=False, comment="1: charge (BG-21, BG-28), 0: allowance (BG-20, BG-27)"
        ),
        sa.Column("amount", ExactNumeric(23, 8), nullable=True, comment="BT-92, BT-99, BT-136, BT-141"),
        sa.Column("base_amount", ExactNumeric(23, 8), nullable=True, comment="BT-93, BT-100"),
        sa.Column("percent_rate", ExactNumeric(7, 4), nullable=True, comment="BT-94, BT-101"),
        sa.Column("reason", LongWords(), nullable=True, comment="BT-97, BT-104"),
        sa.Column("reason_code", Words(10), nullable=True, comment="BT-98, BT-105"),
        sa.Column("tax_category", Words(10), nullable=True, comment="BT-95, BT-102"),
        sa.Column("tax_rate", ExactNumeric(7, 4), nullable=True, comment="BT-96, BT-103: percent"),
        sa.ForeignKeyConstraint(["invoice_id"], ["stg_invoice.invoice_id"], name="fk_stg_charge_invoice"),
        sa.PrimaryKeyConstraint("invoice_id", "charge_no", name=op.f("pk_stg_invoice_charge")),
        comment="Allowance or charge, of the invoice or of a line.",
    )
    op.create_table(
        "stg_invoice_line",
        sa.Column("invoice_id", sa.String(length=36), nullable=False, comment="the invoice"),
        sa.Column("line_no", sa.Integer(), autoincrement=False, nullable=False, comment="BT-126: position, from 1"),
        sa.Column("line_kind", sa.String(length=8), nullable=False, comment="item, discount, charge, note"),
        sa.Column("item_name", LongWords(), nullable=True, comment="BT-153"),
        sa.Column("description", LongWords(), nullable=True, comment="BT-154"),
        sa.Column("cn_tax_class", Words(100), nullable=True, comment="商品和服务税收分类简称 (between the asterisks)"),
        sa.Column("specification", Words(200), nullable=True, comment="规格型号"),
        sa.Column("unit_text", Words(32), nullable=True, comment="unit as printed"),
        sa.Column("unit_code", Words(10), nullable=True, comment="BT-130: UN/ECE Rec 20"),
        sa.Column("quantity", ExactNumeric(28, 10), nullable=True, comment="BT-129"),
        sa.Column("unit_price", ExactNumeric(28, 10), nullable=True, comment="BT-146: net"),
        sa.Column("price_base_qty", ExactNumeric(28, 10), nullable=True, comment="BT-149"),
        sa.Column("gross_price", ExactNumeric(28, 10), nullable=True, comment="BT-148"),
        sa.Column("price_discount", ExactNumeric(28, 10), nullable=True, comment="BT-147"),
        sa.Column("net_amount", ExactNumeric(23, 8), nullable=True, comment="BT-131"),
        sa.Column("tax_category", Words(10), nullable=True, comment="BT-151"),
        sa.Column("tax_rate", ExactNumeric(7, 4), nullable=True, comment="BT-152: percent"),
        sa.Column("cn_rate_text", Words(20), nullable=True, comment="税率 as printed: 13%, 免税, 不征税, ***"),
        sa.Column("tax_amount", ExactNumeric(23, 8), nullable=True, comment="税额 of the line"),
        sa.Column("gross_amount", ExactNumeric(23, 8), nullable=True, comment="with tax"),
        sa.Column("seller_item_id", Words(100), nullable=True, comment="BT-155"),
        sa.Column("buyer_item_id", Words(100), nullable=True, comment="BT-156"),
        sa.Column("standard_id", Words(100), nullable=True, comment="BT-157"),
        sa.Column("order_line_ref", Words(100), nullable=True, comment="BT-132"),
        sa.Column("period_start", sa.Date(), nullable=True, comment="BT-134"),
        sa.Column("period_end", sa.Date(), nullable=True, comment="BT-135"),
        sa.Column("erp_account", Words(50), nullable=True, comment="filled by the ERP side"),
        sa.Column("erp_cost_center", Words(50), nullable=True, comment="filled by the ERP side"),
        sa.Column("erp_tax_code", Words(50), nullable=True, comment="filled by the ERP side"),
        sa.Column("erp_uom", Words(50), nullable=True, comment="filled by the ERP side"),
        sa.Column("erp_po_number", Words(50), nullable=True, comment="filled by the ERP side"),
        sa.Column("erp_po_line", Words(50), nullable=True, comment="filled by the ERP side"),
        sa.ForeignKeyConstraint(["invoice_id"], ["stg_invoice.invoice_id"], name="fk_stg_line_invoice"),
        sa.PrimaryKeyConstraint("invoice_id", "line_no", name=op.f("pk_stg_invoice_line")),
        comment="Invoice line (BG-25).",
    )
    op.create_table(
        "stg_invoice_payment",
        sa.Column("invoice_id", sa.String(length=36), nullable=False, comment="the invoice"),
        sa.Column("payment_no", sa.Integer(), autoincrement=False, nullable=False, comment="position, from 1"),
        sa.Column("means_code", Words(10), nullable=True, comment="BT-81: UNTDID 4461"),
        sa.Column("remittance", Words(200), nullable=True, comment="BT-83"),
        sa.Column("iban_or_account", Words(64), nullable=True, comment="BT-84"),
        sa.Column("account_name", Words(200), nullable=True, comment="BT-85"),
        sa.Column("bic", Words(20), nullable=True, comment="BT-86"),
        sa.Column("bank_name", Words(200), nullable=True, comment="bank as printed"),
        sa.ForeignKeyConstraint(["invoice_id"], ["stg_invoice.invoice_id"], name="fk_stg_payment_invoice"),
        sa.PrimaryKeyConstraint("invoice_id", "payment_no", name=op.f("pk_stg_invoice_payment")),
        comment="Payment instruction (BG-16).",
    )
    op.create_table(
        "stg_invoice_tax",
        sa.Column("invoice_id", sa.String(length=36), nullable=False, comment="the invoice"),
        sa.Column("tax_no", sa.Integer(), autoincrement=False, nullable=False, comment="position, from 1"),
        sa.Column("tax_category", Words(10), nullable=True, comment="BT-118"),
        sa.Column("tax_rate", ExactNumeric(7, 4), nullable=True, comment="BT-119: percent"),
        sa.Column("taxable_amount", ExactNumeric(23, 8), nullable=True, comment="BT-116"),
        sa.Column("tax_amount", ExactNumeric(23, 8), nullable=True, comment="BT-117"),
        sa.Column("exemption_reason", LongWords(), nullable=True, comment="BT-120"),
        sa.Column("exemption_reason_code", Words(50), nullable=True, comment="BT-121"),
        sa.Column("cn_rate_text", Words(20), nullable=True, comment="税率 as printed"),
        sa.ForeignKeyConstraint(["invoice_id"], ["stg_invoice.invoice_id"], name="fk_stg_tax_invoice"),
        sa.PrimaryKeyConstraint("invoice_id", "tax_no", name=op.f("pk_stg_invoice_tax")),
        comment="One row of the tax breakdown (BG-23).",
    )


def downgrade() -> None:
    op.drop_table("stg_invoice_tax")
    op.drop_table("stg_invoice_payment")
    op.drop_table("stg_invoice_line")
    op.drop_table("stg_invoice_charge")
    op.drop_table("stg_rejection")
    op.drop_table("stg_invoice")
    op.drop_table("stg_batch")

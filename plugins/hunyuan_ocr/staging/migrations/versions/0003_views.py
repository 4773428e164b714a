"""The views: what the ERP may take (v_stg_ready) and what people must look at (v_attention)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_WHAT_TO_DO = {
    "RECEIVED": "Run the interval again: the run that collected it died before reading it.",
    "EXTRACTED": "Run the interval again: the run that read it died before validating it.",
    "VALIDATED": "Run the interval again: the run that validated it died before loading it.",
    "REVIEW": "Look at its rows in stg_rejection; correct and release it, or reject it.",
    "QUARANTINED": "Do what the reason says, then reprocess the interval, or reject it.",
    "POST_FAILED": "Look at the answer of the ERP; release it for another export, or send it to review.",
    "REJECTED": "Nothing. Reprocess the interval if the rejection was a mistake.",
    "DUPLICATE": "Nothing. Reprocess the interval if it is not a duplicate after all.",
    "SUPERSEDED": "Nothing: another document took its place.",
    "RENDITION": "Nothing: another file of the same invoice was read.",
    "ATTACHMENT": "Nothing: it accompanies an invoice.",
    "IGNORED": "Nothing, unless it is an invoice after all: then send it as a PDF or an image.",
}
_TO_LOOK_AT = ("RECEIVED", "EXTRACTED", "VALIDATED", "REVIEW", "QUARANTINED", "POST_FAILED")


def _ready(bind: sa.Connection, table: str, alias: str) -> str:
    """The columns of ``table``. SQLite keeps decimals as text: cast there, so that comparing compares numbers."""
    is_sqlite = bind.dialect.name == "sqlite"
    names = []
    for column in sa.inspect(bind).get_columns(table):
        name = column["name"]
        is_number = is_sqlite and name in _NUMBERS
        names.append(f"CAST({alias}.{name} AS NUMERIC) AS {name}" if is_number else f"{alias}.{name}")
    return ", ".join(names)


_NUMBERS = frozenset({
    "confidence_min", "exchange_rate", "sum_of_lines", "allowances_total", "charges_total", "total_without_tax",
    "total_tax", "total_tax_acc", "total_with_tax", "paid_amount", "rounding_amount", "amount_due",
    "erp_vendor_score", "quantity", "unit_price", "price_base_qty", "gross_price", "price_discount", "net_amount",
    "tax_rate", "tax_amount", "gross_amount",
})  # fmt: skip


def _attention() -> str:
    # One row per document that is not staged, and one per source item that was never unpacked.
    advice = " ".join(f"WHEN '{state}' THEN '{text}'" for state, text in _WHAT_TO_DO.items())
    to_look_at = ", ".join(f"'{state}'" for state in _TO_LOOK_AT)
    state = "CASE WHEN d.doc_role = 'PRIMARY' THEN i.status ELSE d.doc_role END"
    return f"""
CREATE VIEW v_attention AS
SELECT a.*, CASE a.doc_state {advice} END AS what_to_do
FROM (
  SELECT d.document_id, d.item_id, i.invoice_id, s.source_code, d.file_name, d.part_path, s.received_at,
    {state} AS doc_state,
    CASE WHEN d.doc_role = 'PRIMARY' THEN i.status_reason ELSE d.reason END AS reason,
    CASE
      WHEN d.doc_role = 'PRIMARY' AND i.status IN ({to_look_at}) THEN 1
      WHEN d.doc_role = 'DUPLICATE' AND i.status = 'QUARANTINED' THEN 1
      ELSE 0
    END AS needs_action,
    (SELECT COUNT(*) FROM stg_rejection r WHERE r.invoice_id = i.invoice_id AND r.resolved_at IS NULL) AS n_rejections,
    i.invoice_number, i.seller_name, i.currency, i.total_with_tax, i.related_invoice_id
  FROM document d
  JOIN source_item s ON s.item_id = d.item_id
  LEFT JOIN invoice i ON i.content_sha256 = d.content_sha256 AND d.doc_role IN ('PRIMARY', 'DUPLICATE')
  WHERE d.doc_role <> 'PRIMARY' OR i.status NOT IN ('STAGED', 'EXPORTING', 'POSTED', 'REVERSED')
  UNION ALL
  SELECT NULL, s.item_id, NULL, s.source_code, s.file_name, NULL, s.received_at, s.status, s.error_text, 1,
    0, NULL, NULL, NULL, NULL, NULL
  FROM source_item s
  WHERE s.status = 'RECEIVED'
) a
"""  # noqa: S608


def upgrade() -> None:
    bind = op.get_bind()
    header, line = _ready(bind, "stg_invoice", "h"), _ready(bind, "stg_invoice_line", "n")
    op.execute(f"CREATE VIEW v_stg_ready AS SELECT {header} FROM stg_invoice h WHERE h.status = 'STAGED'")  # noqa: S608
    op.execute(
        f"CREATE VIEW v_stg_ready_line AS SELECT {line} FROM stg_invoice_line n "  # noqa: S608
        "JOIN stg_invoice h ON h.invoice_id = n.invoice_id WHERE h.status = 'STAGED'"
    )
    op.execute(_attention())


def downgrade() -> None:
    for view in ("v_attention", "v_stg_ready_line", "v_stg_ready"):
        op.execute(f"DROP VIEW {view}")

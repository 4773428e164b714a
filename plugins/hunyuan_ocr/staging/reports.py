"""What a run did, what may be settled at the sources, and what stands in staging. Reads; decides nothing."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import Connection, select, update

from hunyuan_ocr.model.documents import DocumentRole
from hunyuan_ocr.sources.base import Verdict
from hunyuan_ocr.staging.column_types import UtcDateTime
from hunyuan_ocr.staging.database import Database, utc_now
from hunyuan_ocr.staging.invoices import INVOICE_ROW, in_batch, invoice_row, joined
from hunyuan_ocr.staging.ledger import document_row
from hunyuan_ocr.staging.lifecycle import ACCEPTED, FINAL_FOR_RUN, UNFINISHED, Status
from hunyuan_ocr.staging.rows import BatchSummary, DocumentRow, RejectedDocument, SettleItem
from hunyuan_ocr.staging.tables import (
    CONTRACT_TABLES,
    ItemStatus,
    document,
    invoice,
    run_item,
    source_item,
    stg_batch,
    stg_rejection,
)

_MAKES_INVOICE = frozenset({DocumentRole.PRIMARY, DocumentRole.DUPLICATE})
_SET_ASIDE = frozenset({DocumentRole.IGNORED, DocumentRole.ATTACHMENT})
# Where and when a row was written; the same rows differ in it from run to run and machine to machine.
_CIRCUMSTANCES = frozenset({"batch_id", "lock_version", "archive_uri"})


def _documents(connection: Connection, batch_id: str) -> list[tuple[DocumentRow, Status | None]]:
    """The run's documents with the state of the invoice their bytes belong to, in order of arrival."""
    query = (
        select(document, invoice.c.status)
        .join(source_item, source_item.c.item_id == document.c.item_id)
        .join(run_item, run_item.c.item_id == document.c.item_id)
        .outerjoin(invoice, invoice.c.content_sha256 == document.c.content_sha256)
        .where(run_item.c.batch_id == batch_id)
        .order_by(source_item.c.received_at, source_item.c.item_id, document.c.part_path)
    )
    found = []
    for row in connection.execute(query):
        values = dict(row._mapping)
        status = values.pop("status")
        found.append((document_row(values), Status(status) if status else None))
    return found


class Reports(Database):
    """Summaries, settling and dumps."""

    def batch_summary(self, batch_id: str) -> BatchSummary:
        """How the run stands now."""
        with self.reading() as connection:
            items = connection.execute(
                select(source_item.c.item_id, source_item.c.status, source_item.c.file_name)
                .join(run_item, run_item.c.item_id == source_item.c.item_id)
                .where(run_item.c.batch_id == batch_id)
                .order_by(source_item.c.received_at, source_item.c.item_id)
            ).all()
            documents = _documents(connection, batch_id)
            rejections = connection.execute(
                select(stg_rejection)
                .join(invoice, invoice.c.invoice_id == stg_rejection.c.invoice_id)
                .join(document, document.c.document_id == invoice.c.primary_document_id)
                .join(source_item, source_item.c.item_id == document.c.item_id)
                .join(run_item, run_item.c.item_id == document.c.item_id)
                .where(
                    run_item.c.batch_id == batch_id,
                    stg_rejection.c.resolved_at.is_(None),
                    invoice.c.status == Status.REVIEW.value,
                )
                .order_by(
                    stg_rejection.c.rule_id,
                    source_item.c.received_at,
                    source_item.c.item_id,
                    document.c.part_path,
                    stg_rejection.c.rejection_id,
                )
            ).all()
            quarantined = connection.execute(
                in_batch(joined(*INVOICE_ROW), batch_id).where(invoice.c.status == Status.QUARANTINED.value)
            ).all()
        primary = [(row, status) for row, status in documents if row.role is DocumentRole.PRIMARY]
        lost = [f"item {row.item_id}" for row in items if row.status == ItemStatus.RECEIVED.value]
        lost += [f"document {row.document_id}" for row, status in primary if status in UNFINISHED or status is None]
        return BatchSummary(
            batch_id=batch_id,
            items=len(items),
            documents=len(documents),
            by_status=Counter(status for _, status in primary if status),
            duplicates=sum(row.role is DocumentRole.DUPLICATE for row, _ in documents),
            rejections=tuple(
                RejectedDocument(
                    invoice_id=row.invoice_id,
                    rule_id=row.rule_id,
                    field_path=row.field_path,
                    message=row.message_en,
                    file_name=row.file_name,
                    source_code=row.source_code,
                    invoice_number=row.invoice_number,
                    seller_name=row.seller_name,
                )
                for row in rejections
            ),
            quarantined=tuple(invoice_row(row) for row in quarantined),
            ignored=tuple(row for row, _ in documents if row.role in _SET_ASIDE),
            lost=tuple(lost),
        )

    def close_batch(self, batch_id: str, *, failed: bool = False) -> None:
        """Write the run's counts, as they stand now, and its end."""
        summary = self.batch_summary(batch_id)
        counts = summary.by_status
        values = {
            "n_docs": sum(counts.values()) + summary.duplicates,
            "n_staged": counts.get(Status.STAGED, 0),
            "n_review": counts.get(Status.REVIEW, 0),
            "n_rejected": counts.get(Status.REJECTED, 0),
            "n_duplicate": counts.get(Status.DUPLICATE, 0) + summary.duplicates,
            "n_quarantined": counts.get(Status.QUARANTINED, 0),
            "status": "FAILED" if failed else "CLOSED",
            "finished_at": utc_now(),
        }
        self.write(
            lambda connection: connection.execute(
                update(stg_batch).where(stg_batch.c.batch_id == batch_id).values(**values)
            )
        )

    def alerted_fingerprint(self, batch_id: str) -> str | None:
        """What people were last told about the run, as a hash; ``None`` when they were told nothing."""
        with self.reading() as connection:
            return connection.execute(select(stg_batch.c.alert_hash).where(stg_batch.c.batch_id == batch_id)).scalar()

    def mark_alerted(self, batch_id: str, fingerprint: str) -> None:
        """Note what people were told, so that a repeated run does not tell them again."""
        self.write(
            lambda connection: connection.execute(
                update(stg_batch).where(stg_batch.c.batch_id == batch_id).values(alert_hash=fingerprint)
            )
        )

    def items_ready_to_settle(self, batch_id: str) -> tuple[SettleItem, ...]:
        """The run's items that are unpacked, not settled, and have all their documents in a final state.

        ACCEPTED: every document is staged, posted, a duplicate of such a one, or no invoice. NEEDS_REVIEW: anything
        else, also an item in which nothing at all was found.
        """
        with self.reading() as connection:
            items = connection.execute(
                select(source_item.c.item_id, source_item.c.source_code, source_item.c.external_key)
                .join(run_item, run_item.c.item_id == source_item.c.item_id)
                .where(run_item.c.batch_id == batch_id, source_item.c.status == ItemStatus.UNPACKED.value)
                .order_by(source_item.c.received_at, source_item.c.item_id)
            ).all()
            by_item: dict[str, list[tuple[DocumentRow, Status | None]]] = defaultdict(list)
            for row, status in _documents(connection, batch_id):
                by_item[row.item_id].append((row, status))
        ready = []
        for item in items:
            states = [status for row, status in by_item[item.item_id] if row.role in _MAKES_INVOICE]
            if not all(status in FINAL_FOR_RUN for status in states):
                continue
            accepted = bool(by_item[item.item_id]) and all(status in ACCEPTED for status in states)
            ready.append(SettleItem(*item, Verdict.ACCEPTED if accepted else Verdict.NEEDS_REVIEW))
        return tuple(ready)

    def dump_staging(self) -> str:
        """All staging rows but those of runs, as ordered JSON lines without times and circumstances.

        Two databases in which the same documents were staged give the same text, however often and in whatever
        pieces the work was done.
        """
        lines = []
        with self.reading() as connection:
            for table in CONTRACT_TABLES:
                if table is stg_batch:
                    continue
                columns = [
                    column
                    for column in table.columns
                    if column.name not in _CIRCUMSTANCES and not isinstance(column.type, UtcDateTime)
                ]
                extra: list[Any] = []
                if table is stg_rejection:
                    extra = [stg_rejection.c.resolved_at.is_not(None).label("is_resolved")]
                for row in connection.execute(select(*columns, *extra).order_by(*table.primary_key.columns)):
                    lines.append(json.dumps([table.name, row._asdict()], default=str, ensure_ascii=False))
        return "\n".join(lines)

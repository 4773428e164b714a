"""Invoices between arrival and staging: what was extracted from them and what the rules found.

Keeps the canonical body, the evidence for each value and the findings; each change commits with its event.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from hunyuan_ocr.exceptions import StaleStateError
from hunyuan_ocr.model.evidence import FieldValue
from hunyuan_ocr.model.findings import Finding
from hunyuan_ocr.model.invoice import Invoice
from hunyuan_ocr.staging.column_types import as_share
from hunyuan_ocr.staging.database import Database, utc_now
from hunyuan_ocr.staging.events import append_event, change_status
from hunyuan_ocr.staging.evidence_rows import (
    field_value_rows,
    field_values_from,
    finding_rows,
    findings_from,
    hash_of,
    payload_hash,
)
from hunyuan_ocr.staging.lifecycle import BEYOND_RECALL, Status
from hunyuan_ocr.staging.rows import ExtractedInvoice, InvoiceRow, NewExtraction
from hunyuan_ocr.staging.tables import document, field_value, finding, invoice, run_item, source_item, stg_invoice

_CHUNK = 500

INVOICE_ROW = (
    invoice.c.invoice_id,
    invoice.c.status,
    invoice.c.status_reason,
    invoice.c.lock_version,
    invoice.c.content_sha256,
    document.c.document_id,
    document.c.item_id,
    source_item.c.source_code,
    document.c.file_name,
    document.c.media_type,
    document.c.size_bytes,
    document.c.blob_uri,
    invoice.c.received_at,
    invoice.c.payload_hash,
    invoice.c.related_invoice_id,
)
_BODY = (
    invoice.c.body_json,
    invoice.c.prompt_profile,
    invoice.c.extracted_from,
    invoice.c.confidence_min,
    invoice.c.review_reasons_json,
)
_LOAD_ORDER = (source_item.c.received_at, source_item.c.item_id, document.c.part_path)


def joined(*columns: Any) -> Select[Any]:
    """``columns`` of invoices with their primary document and its source item."""
    return (
        select(*columns)
        .select_from(invoice)
        .join(document, document.c.document_id == invoice.c.primary_document_id)
        .join(source_item, source_item.c.item_id == document.c.item_id)
    )


def in_batch(query: Select[Any], batch_id: str) -> Select[Any]:
    """``query`` (from ``joined``) narrowed to a run's items, in the order in which duplicates are decided."""
    return (
        query
        .join(run_item, run_item.c.item_id == source_item.c.item_id)
        .where(run_item.c.batch_id == batch_id)
        .order_by(*_LOAD_ORDER)
    )


def invoice_row(row: Row[Any]) -> InvoiceRow:
    values = row._asdict()
    return InvoiceRow(**{column.name: values[column.name] for column in INVOICE_ROW} | {"status": Status(row.status)})


def extracted_invoice(row: Row[Any]) -> ExtractedInvoice:
    return ExtractedInvoice(
        row=invoice_row(row),
        invoice=Invoice.model_validate(row.body_json),
        profile=row.prompt_profile,
        extracted_from=row.extracted_from,
        confidence_min=None if row.confidence_min is None else float(row.confidence_min),
        review_reasons=tuple(row.review_reasons_json or ()),
    )


def select_extracted() -> Select[Any]:
    return joined(*INVOICE_ROW, *_BODY).where(invoice.c.body_json.is_not(None))


def locked(connection: Connection, invoice_id: str) -> Row[Any]:
    """The invoice's row, kept from others until the transaction ends; ``StaleStateError`` when there is none."""
    row = connection.execute(select(invoice).where(invoice.c.invoice_id == invoice_id).with_for_update()).first()
    if row is None:
        raise StaleStateError(f"there is no invoice {invoice_id}: it was never received, or in another database")
    return row


class Invoices(Database):
    """What is known of invoices, and the steps EXTRACTED, VALIDATED and QUARANTINED."""

    def invoice(self, invoice_id: str) -> InvoiceRow:
        """Where the invoice stands; ``KeyError`` when there is none."""
        with self.reading() as connection:
            row = connection.execute(joined(*INVOICE_ROW).where(invoice.c.invoice_id == invoice_id)).first()
        if row is None:
            raise KeyError(f"there is no invoice {invoice_id}")
        return invoice_row(row)

    def extracted(self, invoice_id: str) -> ExtractedInvoice | None:
        """The invoice with its canonical body; ``None`` when nothing was extracted yet."""
        with self.reading() as connection:
            row = connection.execute(select_extracted().where(invoice.c.invoice_id == invoice_id)).first()
        return extracted_invoice(row) if row else None

    def invoices_in_shard(
        self, batch_id: str, shard_no: int, statuses: Collection[Status] | None = None
    ) -> tuple[InvoiceRow, ...]:
        """The invoices of a shard's PRIMARY documents, oldest first; only those in ``statuses`` when given."""
        query = in_batch(joined(*INVOICE_ROW), batch_id).where(run_item.c.shard_no == shard_no)
        if statuses is not None:
            query = query.where(invoice.c.status.in_([status.value for status in statuses]))
        with self.reading() as connection:
            return tuple(invoice_row(row) for row in connection.execute(query))

    def invoices_of_batch(self, batch_id: str, statuses: Collection[Status]) -> Iterator[ExtractedInvoice]:
        """The run's invoices that have a body and stand in one of ``statuses``, in load order, a few at a time.

        Which invoices those are is settled by the first step of the iteration.
        """
        wanted = [status.value for status in statuses]
        ids_query = in_batch(joined(invoice.c.invoice_id), batch_id).where(
            invoice.c.status.in_(wanted), invoice.c.body_json.is_not(None)
        )
        with self.reading() as connection:
            ids = [row.invoice_id for row in connection.execute(ids_query)]
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            with self.reading() as connection:
                rows = connection.execute(select_extracted().where(invoice.c.invoice_id.in_(chunk))).all()
            by_id = {row.invoice_id: row for row in rows}
            yield from (extracted_invoice(by_id[each]) for each in chunk)

    def field_values_of(self, invoice_id: str) -> tuple[FieldValue, ...]:
        """The evidence for each field, by path."""
        query = (
            select(field_value)
            .where(field_value.c.invoice_id == invoice_id)
            .order_by(field_value.c.field_path, field_value.c.seq)
        )
        with self.reading() as connection:
            rows = connection.execute(query).all()
        return field_values_from(rows)

    def findings_of(self, invoice_id: str) -> tuple[Finding, ...]:
        """What the rules said the last time the invoice was validated."""
        with self.reading() as connection:
            return findings_from(connection, invoice_id)

    def record_extraction(self, invoice_id: str, extraction: NewExtraction, *, reprocess: bool = False) -> bool:
        """Keep what was extracted, with all evidence, and move the invoice to EXTRACTED; whether anything changed.

        An invoice that is further on is touched only with ``reprocess``, and never once the ERP has it or is taking
        it. The same extraction again changes nothing of an invoice that is EXTRACTED already.
        """
        rows = field_value_rows(invoice_id, extraction.field_values)
        hashes = {
            "payload_hash": payload_hash(extraction.invoice),
            "evidence_hash": hash_of([rows, extraction.profile, extraction.review_reasons]),
        }

        def work(connection: Connection) -> bool:
            stands = locked(connection, invoice_id)
            status = Status(stands.status)
            is_same = (stands.payload_hash, stands.evidence_hash) == tuple(hashes.values())
            if status is Status.EXTRACTED:
                if is_same:
                    return False
            elif status is not Status.RECEIVED and not (reprocess and _is_recallable(connection, invoice_id, status)):
                return False
            values = _body_columns(extraction) | hashes | {"related_invoice_id": None}
            change_status(
                connection,
                invoice_id,
                from_status=status,
                lock_version=stands.lock_version,
                to_status=Status.EXTRACTED,
                actor=self.actor,
                reason="extracted" if status is Status.RECEIVED else f"reprocessed from {status}",
                **values,
            )
            if not is_same:
                connection.execute(delete(field_value).where(field_value.c.invoice_id == invoice_id))
                if rows:
                    connection.execute(insert(field_value), rows)
            return True

        return self.write(work)

    def record_findings(self, invoice_id: str, findings: Sequence[Finding], ruleset_version: str) -> bool:
        """Keep what the rules said and move the invoice from EXTRACTED to VALIDATED; whether anything changed.

        A VALIDATED invoice gets the new findings in place of the old ones; one further on is left alone. Raises
        ``StaleStateError`` for one that was never extracted.
        """
        rows = finding_rows(invoice_id, findings, ruleset_version)

        def work(connection: Connection) -> bool:
            stands = locked(connection, invoice_id)
            status = Status(stands.status)
            if status is Status.RECEIVED:
                raise StaleStateError(f"invoice {invoice_id} is RECEIVED: extract it before it is validated")
            if status not in {Status.EXTRACTED, Status.VALIDATED}:
                return False
            before = connection.execute(select(finding).where(finding.c.invoice_id == invoice_id)).all()
            if status is Status.VALIDATED and _by_rule(row._asdict() for row in before) == _by_rule(rows):
                return False
            connection.execute(delete(finding).where(finding.c.invoice_id == invoice_id))
            if rows:
                connection.execute(insert(finding), rows)
            if status is Status.EXTRACTED:
                change_status(
                    connection,
                    invoice_id,
                    from_status=status,
                    lock_version=stands.lock_version,
                    to_status=Status.VALIDATED,
                    actor=self.actor,
                    reason=f"validated with {ruleset_version}",
                    ruleset_version=ruleset_version,
                )
            else:
                connection.execute(
                    update(invoice)
                    .where(invoice.c.invoice_id == invoice_id)
                    .values(ruleset_version=ruleset_version, updated_at=utc_now())
                )
                reason = f"validated again with {ruleset_version}"
                append_event(connection, invoice_id, status, status, actor=self.actor, reason=reason)
            return True

        return self.write(work)

    def quarantine(self, invoice_id: str, code: str, reason: str) -> bool:
        """Set aside an invoice whose document cannot be used; whether anything changed.

        ``code`` is the ``reason_code`` of the error, ``reason`` its message with the remedy. An invoice that is past
        VALIDATED is left alone.
        """

        def work(connection: Connection) -> bool:
            stands = locked(connection, invoice_id)
            status = Status(stands.status)
            if status not in {Status.RECEIVED, Status.EXTRACTED, Status.VALIDATED}:
                return False
            change_status(
                connection,
                invoice_id,
                from_status=status,
                lock_version=stands.lock_version,
                to_status=Status.QUARANTINED,
                actor=self.actor,
                reason=f"{code}: {reason}",
            )
            return True

        return self.write(work)


def _is_recallable(connection: Connection, invoice_id: str, status: Status) -> bool:
    if status in BEYOND_RECALL:
        return False
    # The ERP side writes into its own table first: when the two differ, what it wrote is taken over first.
    there = connection.execute(select(stg_invoice.c.status).where(stg_invoice.c.invoice_id == invoice_id)).scalar()
    return there in {None, status.value}


def _by_rule(rows: Any) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["rule_id"], row["seq"]))


def _body_columns(extraction: NewExtraction) -> dict[str, Any]:
    body = extraction.invoice
    return {
        "document_kind": body.document_kind.value,
        "invoice_number": body.invoice_number,
        "issue_date": body.issue_date,
        "currency": body.currency,
        "total_with_tax": body.total_with_tax,
        "seller_name": body.seller.name[:300] if body.seller.name else None,
        "seller_tax_id": body.seller.tax_id[:64] if body.seller.tax_id else None,
        "body_json": body.model_dump(mode="json", exclude_none=True),
        "review_reasons_json": list(extraction.review_reasons),
        "prompt_profile": extraction.profile,
        "extracted_from": extraction.extracted_from,
        "confidence_min": as_share(extraction.confidence_min),
    }

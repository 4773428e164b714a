"""Loading: a validated invoice becomes staging rows, a duplicate, or a case for review. One transaction each.

Two documents of one invoice never both reach the ERP: the business key is occupied by at most one of them, and the
database's unique index decides when two loaders come at once. Nothing here judges content: rules and extraction did.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from hunyuan_ocr.exceptions import StaleStateError
from hunyuan_ocr.model.findings import Finding, Outcome, Severity
from hunyuan_ocr.staging import identity
from hunyuan_ocr.staging.business_key import business_key, is_same_seller
from hunyuan_ocr.staging.column_types import as_share
from hunyuan_ocr.staging.database import Database, utc_now
from hunyuan_ocr.staging.events import change_status, shortened
from hunyuan_ocr.staging.evidence_rows import findings_from
from hunyuan_ocr.staging.invoices import extracted_invoice, in_batch, joined, locked, select_extracted
from hunyuan_ocr.staging.lifecycle import UNFINISHED, Status
from hunyuan_ocr.staging.projection import Rows, misfits, staging_rows
from hunyuan_ocr.staging.rows import ExtractedInvoice, LoadResult, LoadVerdict
from hunyuan_ocr.staging.tables import document, invoice, stg_invoice, stg_rejection

EXTRACTION_RULE = "EXTRACTION"
"""Rule id of a review reason that extraction gave."""


def _review_finding(reason: str) -> Finding:
    return Finding(EXTRACTION_RULE, Severity.WARN, Outcome.FAILED, (), message=reason)


def _conflict_finding(mine: Row[Any], other: Row[Any]) -> Finding:
    def said(row: Row[Any]) -> str:
        total = "no total" if row.total_with_tax is None else f"{row.total_with_tax.normalize() + 0:f}"
        return f"{total} {row.currency or ''}".strip() + f", {row.issue_date or 'no date'}"

    return Finding(
        rule_id="DUP-3",
        severity=Severity.ERROR,
        outcome=Outcome.FAILED,
        fields=("invoice_number", "total_with_tax", "issue_date"),
        expected=said(other),
        actual=said(mine),
        message=(
            f"The invoice {other.file_name}, received {other.received_at:%Y-%m-%d}, has the same number but another "
            "total or date. Find out which one is right; reject the other."
        ),
    )


def _verdict_of(connection: Connection, extracted: ExtractedInvoice) -> LoadVerdict:
    findings = findings_from(connection, extracted.row.invoice_id)
    return LoadVerdict(tuple(each for each in findings if each.is_rejection), extracted.review_reasons)


class Loader(Database):
    """The step from VALIDATED to STAGED, REVIEW or DUPLICATE."""

    def load_order(self, batch_id: str) -> tuple[str, ...]:
        """The run's VALIDATED invoices in the order to load them: by time of arrival, item and place in the item.

        Whoever comes first holds the business key, so this order makes the outcome the same in every repetition.
        """
        query = in_batch(joined(invoice.c.invoice_id), batch_id).where(invoice.c.status == Status.VALIDATED.value)
        with self.reading() as connection:
            return tuple(row.invoice_id for row in connection.execute(query))

    def load(
        self, invoice_id: str, *, batch_id: str, verdict: LoadVerdict | None = None, company_code: str | None = None
    ) -> LoadResult:
        """Stage the invoice, or say why not.

        ``verdict`` defaults to what was recorded: failed error findings and extraction's review reasons. DUP-2: the
        same business key, total and date as an invoice that is staged already makes a DUPLICATE; when that other one
        waits in REVIEW and this one is clean, this one is staged and the other becomes the DUPLICATE. DUP-3: the same
        key with another total or date goes to REVIEW. ``company_code`` says which of our companies the invoice is
        for. An invoice that was loaded before is left as it is. Raises ``StaleStateError`` for one that is not
        validated yet.
        """
        return self.write(lambda connection: self._load(connection, invoice_id, batch_id, verdict, company_code))

    def _load(
        self,
        connection: Connection,
        invoice_id: str,
        batch_id: str,
        verdict: LoadVerdict | None,
        company_code: str | None,
    ) -> LoadResult:
        mine = locked(connection, invoice_id)
        status = Status(mine.status)
        if status is not Status.VALIDATED:
            if status in UNFINISHED:
                raise StaleStateError(f"invoice {invoice_id} is {status}: validate it before it is loaded")
            return LoadResult(status, changed=False, related_invoice_id=mine.related_invoice_id)
        extracted = extracted_invoice(
            connection.execute(select_extracted().where(invoice.c.invoice_id == invoice_id)).one()
        )
        verdict = verdict or _verdict_of(connection, extracted)
        rows = staging_rows(invoice_id, extracted.invoice)
        if company_code:
            rows[stg_invoice][0]["erp_company_code"] = company_code
        rejections = (*verdict.rejections, *misfits(rows), *map(_review_finding, verdict.review_reasons))
        key = business_key(extracted.invoice)
        holder = self._holder(connection, mine, key)
        if holder is None:
            return self._settle(connection, mine, extracted, rows, rejections, batch_id, key, holds_key=True)
        if (holder.total_with_tax, holder.issue_date) != (mine.total_with_tax, mine.issue_date):
            rejections = (_conflict_finding(mine, holder), *rejections)
            return self._settle(
                connection, mine, extracted, rows, rejections, batch_id, key, holds_key=False, related=holder.invoice_id
            )
        if not rejections and holder.status == Status.REVIEW.value:
            self._make_duplicate(connection, holder, mine, extracted.row.file_name, key)
            return self._settle(connection, mine, extracted, rows, rejections, batch_id, key, holds_key=True)
        self._make_duplicate(connection, mine, holder, holder.file_name, key)
        return LoadResult(Status.DUPLICATE, changed=True, related_invoice_id=holder.invoice_id)

    def _holder(self, connection: Connection, mine: Row[Any], key: str | None) -> Row[Any] | None:
        """The other invoice that is this one: the holder of the key, or one equal in all but a tax id not read."""
        if key is None:
            return None
        others = joined(invoice, document.c.file_name).where(
            invoice.c.active_key.is_not(None), invoice.c.invoice_id != mine.invoice_id
        )
        holder = connection.execute(others.where(invoice.c.active_key == key).with_for_update(of=invoice)).first()
        if holder is not None:
            return holder
        # One print of an invoice may show the seller's tax id and another not: then the keys differ.
        equal = others.where(
            invoice.c.invoice_number == mine.invoice_number,
            invoice.c.issue_date == mine.issue_date,
            invoice.c.total_with_tax == mine.total_with_tax,
            invoice.c.currency == mine.currency,
        )
        for other in connection.execute(equal.with_for_update(of=invoice)):
            if is_same_seller(mine.seller_name, mine.seller_tax_id, other.seller_name, other.seller_tax_id):
                return other
        return None

    def _make_duplicate(
        self, connection: Connection, row: Row[Any], original: Row[Any], file_name: str, key: str | None
    ) -> None:
        self._resolve_rejections(connection, row.invoice_id, keep=set())
        change_status(
            connection,
            row.invoice_id,
            from_status=Status(row.status),
            lock_version=row.lock_version,
            to_status=Status.DUPLICATE,
            actor=self.actor,
            reason=f"DUP-2: the same invoice as {file_name}, received {original.received_at:%Y-%m-%d}",
            business_key=key,
            related_invoice_id=original.invoice_id,
        )

    def _settle(
        self,
        connection: Connection,
        mine: Row[Any],
        extracted: ExtractedInvoice,
        rows: Rows,
        rejections: tuple[Finding, ...],
        batch_id: str,
        key: str | None,
        *,
        holds_key: bool,
        related: str | None = None,
    ) -> LoadResult:
        kept = self._write_rejections(connection, extracted, rejections, batch_id, related, mine.ruleset_version)
        self._resolve_rejections(connection, mine.invoice_id, keep=kept)
        to_status = Status.REVIEW if rejections else Status.STAGED
        rules = Counter(each.rule_id for each in rejections)
        reason = ", ".join(f"{rule} ({n})" if n > 1 else rule for rule, n in rules.items()) or "all rules passed"
        if to_status is Status.STAGED:
            self._write_staging(connection, mine, extracted, rows, batch_id, key)
        change_status(
            connection,
            mine.invoice_id,
            from_status=Status.VALIDATED,
            lock_version=mine.lock_version,
            to_status=to_status,
            actor=self.actor,
            reason=reason,
            business_key=key,
            active_key=key if holds_key else None,
            related_invoice_id=related,
        )
        return LoadResult(to_status, changed=True, related_invoice_id=related)

    def _write_staging(
        self,
        connection: Connection,
        mine: Row[Any],
        extracted: ExtractedInvoice,
        rows: Rows,
        batch_id: str,
        key: str | None,
    ) -> None:
        """Write header and children; children and their time of staging change only with the payload.

        The row still says VALIDATED; ``change_status`` makes it STAGED a moment later in the same transaction.
        """
        invoice_id = mine.invoice_id
        header = rows[stg_invoice][0] | {
            "status": Status.VALIDATED.value,
            "status_reason": "",
            "lock_version": mine.lock_version,
            "business_key": key,
            "payload_hash": mine.payload_hash,
            "content_sha256": mine.content_sha256,
            "archive_uri": extracted.row.blob_uri,
            "file_name": extracted.row.file_name,
            "source_code": extracted.row.source_code,
            "received_at": extracted.row.received_at,
            "extracted_from": extracted.extracted_from,
            "confidence_min": as_share(extracted.confidence_min),
            "prompt_profile": extracted.profile,
        }
        before = connection.execute(
            select(stg_invoice.c.payload_hash).where(stg_invoice.c.invoice_id == invoice_id)
        ).scalar()
        if before != mine.payload_hash:
            header |= {"batch_id": batch_id, "staged_at": utc_now()}
        children = {table: entries for table, entries in rows.items() if table is not stg_invoice}
        if before is None:
            connection.execute(insert(stg_invoice), header)
        else:
            connection.execute(update(stg_invoice).where(stg_invoice.c.invoice_id == invoice_id).values(**header))
        if before is not None and before != mine.payload_hash:
            for table in children:
                connection.execute(delete(table).where(table.c.invoice_id == invoice_id))
        if before != mine.payload_hash:
            for table, entries in children.items():
                if entries:
                    connection.execute(insert(table), entries)

    def _write_rejections(
        self,
        connection: Connection,
        extracted: ExtractedInvoice,
        rejections: tuple[Finding, ...],
        batch_id: str,
        related: str | None,
        ruleset_version: str | None,
    ) -> set[str]:
        seen: Counter[tuple[str, str]] = Counter()
        kept = set()
        for each in rejections:
            field_path = ", ".join(each.fields)
            place = (each.rule_id, field_path)
            rejection_id = identity.rejection_id(extracted.row.invoice_id, *place, seen[place])
            seen[place] += 1
            kept.add(rejection_id)
            number = extracted.invoice.invoice_number
            values = {
                "batch_id": batch_id,
                "severity": each.severity.value,
                "field_path": field_path or None,
                "expected": each.expected,
                "actual": each.actual,
                "diff": each.difference,
                "message_en": each.message,
                "file_name": extracted.row.file_name,
                "source_code": extracted.row.source_code,
                "invoice_number": shortened(number, 64) if number else None,
                "seller_name": extracted.invoice.seller.name,
                "related_invoice_id": related if each.rule_id == "DUP-3" else None,
                "ruleset_version": ruleset_version,
                "resolved_at": None,
            }
            known = update(stg_rejection).where(stg_rejection.c.rejection_id == rejection_id).values(**values)
            if connection.execute(known).rowcount == 0:
                row = {"rejection_id": rejection_id, "invoice_id": extracted.row.invoice_id, "rule_id": each.rule_id}
                connection.execute(insert(stg_rejection), row | values | {"created_at": utc_now()})
        return kept

    def _resolve_rejections(self, connection: Connection, invoice_id: str, keep: set[str]) -> None:
        open_rows = select(stg_rejection.c.rejection_id).where(
            stg_rejection.c.invoice_id == invoice_id, stg_rejection.c.resolved_at.is_(None)
        )
        gone = [row.rejection_id for row in connection.execute(open_rows) if row.rejection_id not in keep]
        if gone:
            connection.execute(
                update(stg_rejection).where(stg_rejection.c.rejection_id.in_(gone)).values(resolved_at=utc_now())
            )

"""Evidence and findings as rows and back, and the hashes that tell whether anything changed. No transactions here."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select

from hunyuan_ocr.model.evidence import Candidate, FieldState, FieldValue, Source
from hunyuan_ocr.model.findings import Finding, Outcome, Severity
from hunyuan_ocr.model.geometry import Box
from hunyuan_ocr.model.invoice import Invoice
from hunyuan_ocr.staging.column_types import as_share, canonical_json
from hunyuan_ocr.staging.tables import finding


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return format(value.normalize() + 0, "f")
        case date():
            return value.isoformat()
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return value


def hash_of(value: Any) -> str:
    """SHA-256 (hex) of the one canonical spelling of ``value``."""
    return hashlib.sha256(canonical_json(_plain(value)).encode()).hexdigest()


def payload_hash(body: Invoice) -> str:
    """SHA-256 of the invoice's values: "100" and "100.00" are one amount and give one hash."""
    return hash_of(body.model_dump(exclude_none=True))


def field_value_rows(invoice_id: str, values: Sequence[FieldValue]) -> list[dict[str, Any]]:
    rows = []
    for value in values:
        for seq, candidate in enumerate((value.chosen, *value.others)):
            box = candidate.box if candidate else None
            rows.append({
                "invoice_id": invoice_id,
                "field_path": value.field_path,
                "seq": seq,
                "value_source": candidate.source.value if candidate else None,
                "value_raw": candidate.value_raw if candidate else None,
                "value_norm": candidate.value_norm if candidate else None,
                "field_state": value.state.value,
                "page_no": candidate.page_no if candidate else None,
                "x0": as_share(box.x0) if box else None,
                "y0": as_share(box.y0) if box else None,
                "x1": as_share(box.x1) if box else None,
                "y1": as_share(box.y1) if box else None,
                "confidence": as_share(candidate.confidence) if candidate else None,
                "printed_label": candidate.label if candidate else None,
                "reader_version": candidate.reader_version if candidate else None,
                "chosen": int(seq == 0 and candidate is not None),
                "reason": value.reason if seq == 0 else None,
            })
    return rows


def field_values_from(rows: Sequence[Row[Any]]) -> tuple[FieldValue, ...]:
    """The evidence in rows sorted by path and sequence number."""
    return tuple(
        FieldValue(
            field_path=head.field_path,
            state=FieldState(head.field_state),
            chosen=_candidate(head) if head.chosen else None,
            others=tuple(_candidate(row) for row in rows if row.field_path == head.field_path and row.seq),
            reason=head.reason,
        )
        for head in rows
        if head.seq == 0
    )


def _candidate(row: Row[Any]) -> Candidate:
    box = None if row.x0 is None else Box(float(row.x0), float(row.y0), float(row.x1), float(row.y1))
    return Candidate(
        field_path=row.field_path,
        value_raw=row.value_raw,
        value_norm=row.value_norm,
        source=Source(row.value_source),
        confidence=float(row.confidence),
        page_no=row.page_no,
        box=box,
        label=row.printed_label,
        reader_version=row.reader_version,
    )


def finding_rows(invoice_id: str, findings: Sequence[Finding], ruleset_version: str) -> list[dict[str, Any]]:
    seen: Counter[str] = Counter()
    rows = []
    for each in findings:
        rows.append({
            "invoice_id": invoice_id,
            "rule_id": each.rule_id,
            "seq": seen[each.rule_id],
            "severity": each.severity.value,
            "outcome": each.outcome.value,
            "fields_json": list(each.fields),
            "expected": each.expected,
            "actual": each.actual,
            "difference": each.difference,
            "message": each.message,
            "ruleset_version": ruleset_version,
        })
        seen[each.rule_id] += 1
    return rows


def findings_from(connection: Connection, invoice_id: str) -> tuple[Finding, ...]:
    """What the rules said, last time, by rule."""
    query = select(finding).where(finding.c.invoice_id == invoice_id).order_by(finding.c.rule_id, finding.c.seq)
    return tuple(
        Finding(
            rule_id=row.rule_id,
            severity=Severity(row.severity),
            outcome=Outcome(row.outcome),
            fields=tuple(row.fields_json),
            expected=row.expected,
            actual=row.actual,
            difference=row.difference,
            message=row.message,
        )
        for row in connection.execute(query)
    )

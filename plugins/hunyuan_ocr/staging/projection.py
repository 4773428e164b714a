"""The canonical invoice projected onto the staging tables. Pure; changes no value and drops none silently.

A value that a staging column cannot hold is reported, and then the invoice goes to review instead of being cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from sqlalchemy import Table

from hunyuan_ocr.model.findings import Finding, Outcome, Severity
from hunyuan_ocr.model.invoice import AllowanceCharge, Invoice, Party
from hunyuan_ocr.staging.column_types import ExactNumeric
from hunyuan_ocr.staging.tables import (
    stg_invoice,
    stg_invoice_charge,
    stg_invoice_line,
    stg_invoice_payment,
    stg_invoice_tax,
)

Rows = dict[Table, list[dict[str, Any]]]

_RENAMED = {"name": "item_name", "kind": "line_kind"}
_RENAMED_PARTY = {"cn_address_phone_raw": "cn_addr_phone", "cn_bank_raw": "cn_bank", "address_lines": "address"}
_GROUPS = frozenset({
    "seller",
    "buyer",
    "payee",
    "tax_representative",
    "deliver_to",
    "lines",
    "tax_breakdown",
    "allowances_charges",
    "payments",
})


def _stored(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Enum):
        return value.value
    return value


def _joined(lines: Iterable[str | None]) -> str | None:
    return "\n".join(line for line in lines if line) or None


def _party_columns(role: str, party: Party) -> dict[str, Any]:
    columns = {}
    for field in type(party).model_fields:
        value = getattr(party, field)
        columns[f"{role}_{_RENAMED_PARTY.get(field, field)}"] = (
            _joined(value) if field == "address_lines" else _stored(value)
        )
    return columns


def _header(invoice: Invoice) -> dict[str, Any]:
    row = {name: _stored(getattr(invoice, name)) for name in Invoice.model_fields if name not in _GROUPS}
    row |= _party_columns("seller", invoice.seller) | _party_columns("buyer", invoice.buyer)
    payee, tax_rep, deliver_to = (
        party or Party() for party in (invoice.payee, invoice.tax_representative, invoice.deliver_to)
    )
    return row | {
        "payee_name": payee.name,
        "payee_party_id": payee.party_id,
        "payee_legal_id": payee.legal_id,
        "tax_rep_name": tax_rep.name,
        "tax_rep_tax_id": tax_rep.tax_id,
        "deliver_to_name": deliver_to.name,
        "deliver_to_address": _joined((
            *deliver_to.address_lines,
            deliver_to.postcode,
            deliver_to.city,
            deliver_to.subdivision,
        )),
        "deliver_to_country": deliver_to.country,
    }


def _charge(entry: AllowanceCharge, line_no: int | None) -> dict[str, Any]:
    row = {name: _stored(getattr(entry, name)) for name in AllowanceCharge.model_fields}
    return row | {"percent_rate": row.pop("percent"), "line_no": line_no}


def staging_rows(invoice_id: str, invoice: Invoice) -> Rows:
    """The rows of one invoice, by table; the header row lacks the columns of state and origin, which ``load`` adds.

    Lines are numbered by position: a printed line number may be missing or repeated.
    """
    lines, charges = [], [_charge(entry, None) for entry in invoice.allowances_charges]
    for line_no, line in enumerate(invoice.lines, start=1):
        fields = [name for name in type(line).model_fields if name not in {"line_no", "allowances_charges"}]
        lines.append({_RENAMED.get(name, name): _stored(getattr(line, name)) for name in fields} | {"line_no": line_no})
        charges += [_charge(entry, line_no) for entry in line.allowances_charges]
    taxes = [
        {
            "tax_category": tax.category,
            "tax_rate": tax.rate,
            "taxable_amount": tax.taxable_amount,
            "tax_amount": tax.tax_amount,
            "exemption_reason": tax.exemption_reason,
            "exemption_reason_code": tax.exemption_reason_code,
            "cn_rate_text": tax.cn_rate_text,
        }
        for tax in invoice.tax_breakdown
    ]
    payments = [payment.model_dump() for payment in invoice.payments]

    def numbered(rows: list[dict[str, Any]], column: str) -> list[dict[str, Any]]:
        return [{"invoice_id": invoice_id, column: number} | row for number, row in enumerate(rows, start=1)]

    return {
        stg_invoice: [{"invoice_id": invoice_id} | _header(invoice)],
        stg_invoice_line: numbered(lines, "line_no"),
        stg_invoice_tax: numbered(taxes, "tax_no"),
        stg_invoice_charge: numbered(charges, "charge_no"),
        stg_invoice_payment: numbered(payments, "payment_no"),
    }


def _misfit(table: Table, column: str, value: Any) -> str | None:
    kind = table.c[column].type
    if isinstance(kind, ExactNumeric) and value is not None and not kind.fits(value):
        return f"at most {kind.digits - kind.decimals} digits before and {kind.decimals} after the point"
    length = getattr(kind, "length", None) or getattr(getattr(kind, "impl", None), "length", None)
    if isinstance(value, str) and length and len(value) > length:
        return f"at most {length} characters"
    return None


def misfits(rows: Mapping[Table, list[dict[str, Any]]]) -> tuple[Finding, ...]:
    """A rejection (rule STG-FIT) for every value that its staging column cannot hold."""
    found = []
    for table, entries in rows.items():
        for position, entry in enumerate(entries, start=1):
            for column, value in entry.items():
                limit = _misfit(table, column, value)
                if limit:
                    where = f"{table.name}.{column}" + ("" if table is stg_invoice else f" of row {position}")
                    found.append(
                        Finding(
                            rule_id="STG-FIT",
                            severity=Severity.ERROR,
                            outcome=Outcome.FAILED,
                            fields=(where,),
                            expected=limit,
                            message=f"The value read for {where} is too long for the ERP: {limit}. Correct it.",
                        )
                    )
    return tuple(found)

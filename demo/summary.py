"""What the demo shows in the end: the staged rows, what was rejected and why, and where to look next."""

from __future__ import annotations

import imaplib
import os
import ssl
from collections.abc import Sequence
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, create_engine, text

from demo.samples.recipes import Sample
from demo.servers import MailAccount

#: The state each sample is planted for, in the words of the store.
_STATES = {
    "staged": {"STAGED"},
    "review": {"REVIEW"},
    "quarantined": {"QUARANTINED"},
    "duplicate": {"DUPLICATE"},
    "ignored": {"IGNORED", "QUARANTINED"},
}


def print_summary(console: Console, own: Path, mail: MailAccount, alert_address: str) -> None:
    """Print the run's outcome from the database in ``own``, and the alert from its recipient's mailbox."""
    with _connect(own) as connection:
        console.print(_staged(connection))
        console.print(_attention(connection))
    report = own / "data_docs" / "index.html"
    alert = _alert(mail, alert_address)
    console.print(f"Alert sent to {alert_address}: {alert or 'none'}")
    console.print(f"Database:          {os.path.relpath(own / 'hunyuan_ocr.db')}  (views v_stg_ready, v_attention)")
    console.print(f"Validation report: {os.path.relpath(report)}  (open it in a browser)")


def unexpected_outcomes(own: Path, samples: Sequence[Sample]) -> list[str]:
    """Samples that did not end as they were planted: another state, or not for the planted rule."""
    problems = []
    with _connect(own) as connection:
        for sample in samples:
            states, rules = _outcome(connection, sample.file)
            wanted = _STATES[sample.expect["state"]]
            if not states or not states <= wanted:
                problems.append(
                    f"{sample.file} is {', '.join(sorted(states)) or 'nowhere'}, not {sample.expect['state']}"
                )
            elif sample.expect["state"] == "review" and not set(sample.expect["rule_ids"]) & rules:
                problems.append(f"{sample.file} was rejected by {sorted(rules)}, not by {sample.expect['rule_ids']}")
    return problems


def _connect(own: Path) -> Connection:
    return create_engine(f"sqlite:///{own / 'hunyuan_ocr.db'}").connect()


def _staged(connection: Connection) -> Table:
    table = Table(title="Staged for the ERP (v_stg_ready)", title_justify="left")
    for name in ("document", "number", "date"):
        table.add_column(name, no_wrap=True)
    table.add_column("seller", overflow="ellipsis", no_wrap=True)
    table.add_column("tax id", no_wrap=True)
    table.add_column("total", justify="right", no_wrap=True)
    rows = connection.execute(
        text(
            "select file_name, invoice_number, issue_date, seller_name, seller_tax_id, total_with_tax, currency "
            "from v_stg_ready order by received_at, invoice_id"
        )
    )
    for row in rows:
        table.add_row(
            row.file_name, row.invoice_number or "", str(row.issue_date or ""), row.seller_name or "",
            row.seller_tax_id or "", f"{row.total_with_tax:,.2f} {row.currency}",
        )  # fmt: skip
    return table


def _attention(connection: Connection) -> Table:
    table = Table(title="Not staged, and why", title_justify="left")
    for name in ("document", "state"):
        table.add_column(name, no_wrap=True)
    table.add_column("reason")
    rejections: dict[str, list[str]] = {}
    for row in connection.execute(
        text("select invoice_id, rule_id, message_en from stg_rejection where resolved_at is null order by rule_id")
    ):
        rejections.setdefault(row.invoice_id, []).append(f"{row.rule_id}: {row.message_en}")
    rows = connection.execute(
        text(
            "select invoice_id, file_name, doc_state, reason from v_attention where doc_state <> 'IGNORED' "
            "order by needs_action desc, doc_state desc, file_name"
        )
    )
    for row in rows:
        reasons = rejections.get(row.invoice_id) if row.doc_state == "REVIEW" else None
        table.add_row(row.file_name, row.doc_state, "\n".join(reasons or [row.reason]))
    ignored = connection.execute(text("select count(*) from v_attention where doc_state = 'IGNORED'")).scalar()
    table.caption = f"{ignored} mail texts and logos were looked at and ignored."
    table.caption_justify = "left"
    return table


def _outcome(connection: Connection, file_name: str) -> tuple[set[str], set[str]]:
    found = connection.execute(
        text(
            "select d.doc_role, i.status, i.invoice_id, i.primary_document_id = d.document_id as is_primary "
            "from document d left join invoice i on i.content_sha256 = d.content_sha256 where d.file_name = :name"
        ),
        {"name": file_name},
    ).all()
    states = {row.status if row.doc_role == "PRIMARY" and row.is_primary else row.doc_role for row in found}
    rules: set[str] = set()
    for row in found:
        rules |= set(
            connection.execute(
                text("select rule_id from stg_rejection where invoice_id = :id"), {"id": row.invoice_id}
            ).scalars()
        )
    return states, rules


def _alert(mail: MailAccount, address: str) -> str:
    """The subject of the newest mail in the alert mailbox."""
    context = ssl.create_default_context(cafile=str(mail.ca_file))
    with imaplib.IMAP4_SSL(mail.host, mail.imaps_port, ssl_context=context) as client:
        client.login(address, mail.password)
        client.select("INBOX", readonly=True)
        numbers = client.search(None, "ALL")[1][0].split()
        if not numbers:
            return ""
        fetched: Any = client.fetch(numbers[-1].decode(), "(BODY.PEEK[HEADER])")[1]
        return str(message_from_bytes(fetched[0][1], policy=policy.default)["Subject"])

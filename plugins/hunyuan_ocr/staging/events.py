"""The only door through which an invoice changes its state, and the audit trail it leaves behind it.

A change is guarded by the database (the row must still have the state and version it was read with) and commits
together with its event. Events are never changed; each carries the hash of the one before, so a later edit shows.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from hunyuan_ocr.exceptions import HunyuanOCRError, StaleStateError
from hunyuan_ocr.staging.column_types import canonical_json, storable_text
from hunyuan_ocr.staging.database import Database, utc_now
from hunyuan_ocr.staging.identity import event_id
from hunyuan_ocr.staging.lifecycle import WITHOUT_ACTIVE_KEY, IllegalTransitionError, Status, allowed
from hunyuan_ocr.staging.rows import EventRow
from hunyuan_ocr.staging.tables import event, invoice, stg_invoice

_NO_HASH = "0" * 64
_HANDED_OVER = frozenset({Status.STAGED, Status.EXPORTING, Status.POSTED, Status.POST_FAILED})
_REACHED_BY_LOAD = frozenset({Status.DUPLICATE, Status.STAGED})


class BrokenChainError(HunyuanOCRError):
    """An invoice's audit trail was changed after it was written. The data engineer looks; a retry repeats it."""


def shortened(text: str, length: int = 500) -> str:
    """``text`` as far as a column of ``length`` holds it, with an ellipsis when something is missing."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _digest(prev_hash: str, parts: tuple[str, ...], seq: int, at: datetime) -> str:
    return hashlib.sha256(canonical_json([prev_hash, *parts, seq, at.isoformat()]).encode()).hexdigest()


def append_event(
    connection: Connection, invoice_id: str, from_status: str, to_status: str, *, actor: str, reason: str
) -> None:
    last = connection.execute(
        select(event.c.seq, event.c.event_hash)
        .where(event.c.entity_id == invoice_id)
        .order_by(event.c.seq.desc())
        .limit(1)
    ).first()
    seq, prev_hash = (last.seq + 1, last.event_hash) if last else (1, _NO_HASH)
    at = utc_now()
    reason = storable_text(shortened(reason))
    connection.execute(
        insert(event).values(
            event_id=event_id("invoice", invoice_id, seq),
            entity="invoice",
            entity_id=invoice_id,
            seq=seq,
            from_status=from_status,
            to_status=to_status,
            actor=actor,
            reason=reason,
            prev_hash=prev_hash,
            event_hash=_digest(prev_hash, ("invoice", invoice_id, from_status, to_status, actor, reason), seq, at),
            occurred_at=at,
        )
    )


def change_status(
    connection: Connection,
    invoice_id: str,
    *,
    from_status: Status,
    lock_version: int,
    to_status: Status,
    actor: str,
    reason: str,
    **values: Any,
) -> None:
    """Move the invoice on, with its staging row if it has one, and write the event, in the caller's transaction.

    ``values`` are further columns of ``invoice`` to set. Raises ``IllegalTransitionError`` for a step that does not
    exist and ``StaleStateError`` when the invoice, or its row in the ERP's hands, is no longer as it was read.
    """
    if not allowed(from_status, to_status):
        raise IllegalTransitionError(f"invoice {invoice_id}: there is no step from {from_status} to {to_status}")
    now = utc_now()
    if to_status in WITHOUT_ACTIVE_KEY:
        values["active_key"] = None
    state = {"status": to_status.value, "status_reason": shortened(reason), "lock_version": lock_version + 1}
    changed = connection.execute(
        update(invoice)
        .where(
            invoice.c.invoice_id == invoice_id,
            invoice.c.status == from_status.value,
            invoice.c.lock_version == lock_version,
        )
        .values(**state, updated_at=now, **values)
    )
    if changed.rowcount != 1:
        raise StaleStateError(
            f"invoice {invoice_id} is no longer {from_status} at version {lock_version}: read it again and retry"
        )
    if from_status is not Status.RECEIVED:
        stamp = {Status.EXPORTING: {"exported_at": now}, Status.POSTED: {"posted_at": now}}.get(to_status, {})
        handed_over = connection.execute(
            update(stg_invoice)
            .where(stg_invoice.c.invoice_id == invoice_id, stg_invoice.c.status == from_status.value)
            .values(**state, **stamp)
        )
        if from_status in _HANDED_OVER and handed_over.rowcount != 1:
            raise StaleStateError(
                f"invoice {invoice_id} is {from_status} here, but the ERP side has changed its row in stg_invoice: "
                "take over what it wrote first"
            )
    append_event(connection, invoice_id, from_status, to_status, actor=actor, reason=reason)


class Lifecycle(Database):
    """What people, and later the ERP, do with an invoice; and the trail of what was done."""

    def transition(self, invoice_id: str, to_status: Status, *, reason: str, lock_version: int) -> None:
        """Take one step of the life cycle. ``lock_version`` is that of the row the decision was made on.

        EXTRACTED and VALIDATED are reached only by work that proves them (except that REVIEW is released to
        VALIDATED, from where the rules and ``load`` decide again); STAGED and DUPLICATE are ``load``'s to give,
        except that a failed posting may be staged again.

        Raises ``IllegalTransitionError`` and ``StaleStateError``.
        """

        def work(connection: Connection) -> None:
            found = connection.execute(select(invoice.c.status).where(invoice.c.invoice_id == invoice_id)).scalar()
            if found is None:
                raise StaleStateError(f"there is no invoice {invoice_id}")
            from_status = Status(found)
            by_work = (
                to_status is Status.EXTRACTED
                or (to_status is Status.VALIDATED and from_status is not Status.REVIEW)
                or (to_status in _REACHED_BY_LOAD and from_status is not Status.POST_FAILED)
                or (to_status is Status.REVIEW and from_status is not Status.POST_FAILED)
            )
            if by_work:
                raise IllegalTransitionError(
                    f"invoice {invoice_id}: {to_status} is the outcome of work, not of a decision; "
                    "use record_extraction, record_findings or load"
                )
            change_status(
                connection,
                invoice_id,
                from_status=from_status,
                lock_version=lock_version,
                to_status=to_status,
                actor=self.actor,
                reason=reason,
            )

        self.write(work)

    def events_of(self, invoice_id: str) -> tuple[EventRow, ...]:
        """The invoice's life so far, oldest first."""
        columns = (event.c.seq, event.c.from_status, event.c.to_status, event.c.actor, event.c.reason)
        with self.reading() as connection:
            found = connection.execute(
                select(*columns, event.c.occurred_at).where(event.c.entity_id == invoice_id).order_by(event.c.seq)
            )
            return tuple(EventRow(*row) for row in found)

    def verify_events(self, invoice_id: str) -> int:
        """The number of events of an unbroken trail that ends where the invoice stands; else ``BrokenChainError``."""
        with self.reading() as connection:
            rows = connection.execute(select(event).where(event.c.entity_id == invoice_id).order_by(event.c.seq)).all()
            status = connection.execute(select(invoice.c.status).where(invoice.c.invoice_id == invoice_id)).scalar()
        prev_hash, before = _NO_HASH, ""
        for position, row in enumerate(rows, start=1):
            parts = (row.entity, row.entity_id, row.from_status, row.to_status, row.actor, row.reason)
            intact = (
                row.seq == position
                and row.prev_hash == prev_hash
                and row.from_status == before
                and row.event_hash == _digest(prev_hash, parts, row.seq, row.occurred_at)
            )
            if not intact:
                raise BrokenChainError(f"invoice {invoice_id}: event {position} was changed, added or removed")
            prev_hash, before = row.event_hash, row.to_status
        if (status or "") != before:
            raise BrokenChainError(f"invoice {invoice_id}: its state is not the one its last event left it in")
        return len(rows)

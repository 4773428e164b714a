"""The ledger: which source items arrived, which documents they hold, which run works on them.

Decides what is new and what is a repetition of known bytes; never looks inside a document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, Select, and_, func, insert, or_, select, update

from hunyuan_ocr.model.documents import DocumentRole
from hunyuan_ocr.sources.archive import Archived
from hunyuan_ocr.sources.base import FetchedItem, Verdict, Window
from hunyuan_ocr.staging import identity
from hunyuan_ocr.staging.database import Database, utc_now
from hunyuan_ocr.staging.events import append_event, change_status, shortened
from hunyuan_ocr.staging.lifecycle import UNFINISHED, Status
from hunyuan_ocr.staging.rows import DocumentRow, ItemRow, NewDocument, Shard
from hunyuan_ocr.staging.tables import ItemStatus, document, invoice, run_item, source_item, stg_batch

_ITEM = [source_item.c[field.name] for field in fields(ItemRow)]
_NOT_LOADED = frozenset({*UNFINISHED, Status.QUARANTINED})


def item_row(row: Row[Any]) -> ItemRow:
    values = row._asdict()
    return ItemRow(**values | {"is_mail": bool(values["is_mail"]), "status": ItemStatus(values["status"])})


def document_row(row: RowMapping | Mapping[Any, Any]) -> DocumentRow:
    """From a row of all columns of ``document``."""
    values = dict(row)
    role = DocumentRole(values.pop("doc_role"))
    return DocumentRow(**values, role=role, invoice_id=identity.invoice_id(row["content_sha256"]))


class Ledger(Database):
    """Runs, source items and documents."""

    def open_batch(
        self,
        dag_id: str,
        run_id: str,
        *,
        run_type: str,
        window: Window | None,
        logical_date: datetime | None = None,
        **versions: str | None,
    ) -> str:
        """The id of the run's batch, opened when it is not; a repeated run reopens its own.

        ``versions``: plugin_version, model_name, model_revision, prompt_version, ruleset_version.
        """
        batch_id = identity.batch_id(dag_id, run_id)
        values: dict[str, Any] = {
            "dag_id": dag_id,
            "run_id": run_id,
            "run_type": run_type,
            "window_start": window.start if window else None,
            "window_end": window.end if window else None,
            "logical_date": logical_date,
            "status": "OPEN",
            "finished_at": None,
            **versions,
        }

        def work(connection: Connection) -> None:
            known = connection.execute(select(stg_batch.c.batch_id).where(stg_batch.c.batch_id == batch_id)).first()
            if known:
                connection.execute(update(stg_batch).where(stg_batch.c.batch_id == batch_id).values(**values))
            else:
                connection.execute(insert(stg_batch).values(batch_id=batch_id, started_at=utc_now(), **values))

        self.write(work)
        return batch_id

    def record_item(
        self, fetched: FetchedItem, archived: Archived, *, subject_hash: str | None = None
    ) -> tuple[str, bool]:
        """Enter an archived source item; its id and whether it is new. A known one stays as it was first seen."""
        ref = fetched.ref
        item_id = identity.item_id(ref.source_code, ref.external_key)

        def work(connection: Connection) -> bool:
            if connection.execute(select(source_item.c.item_id).where(source_item.c.item_id == item_id)).first():
                return False
            connection.execute(
                insert(source_item).values(
                    item_id=item_id,
                    source_code=ref.source_code,
                    external_key=ref.external_key,
                    received_at=ref.received_at,
                    first_seen_at=utc_now(),
                    raw_sha256=archived.sha256,
                    raw_uri=archived.uri,
                    size_bytes=archived.size,
                    is_mail=int(fetched.is_mail),
                    file_name=fetched.file_name,
                    sender=shortened(fetched.sender, 320) if fetched.sender else None,
                    message_id=fetched.message_id,
                    subject_hash=subject_hash,
                    status=ItemStatus.RECEIVED.value,
                )
            )
            return True

        return item_id, self.write(work)

    def known_item(self, source_code: str, external_key: str) -> ItemRow | None:
        """The item when the ledger has it: its raw bytes are archived and need not be fetched again."""
        return self._items(source_item.c.item_id == identity.item_id(source_code, external_key), one=True)

    def item(self, item_id: str) -> ItemRow:
        found = self._items(source_item.c.item_id == item_id, one=True)
        if found is None:
            raise KeyError(f"there is no source item {item_id}")
        return found

    def _items(self, condition: Any, *, one: bool) -> ItemRow | None:
        with self.reading() as connection:
            row = connection.execute(select(*_ITEM).where(condition)).first()
            return item_row(row) if row else None

    def assign_shards(
        self,
        batch_id: str,
        source_codes: Sequence[str],
        window: Window,
        *,
        include_backlog: bool = True,
        reprocess: bool = False,
        max_items: int = 250,
        max_bytes: int = 200_000_000,
    ) -> tuple[Shard, ...]:
        """Give the run its items, in shards of at most ``max_items`` items and ``max_bytes`` raw bytes.

        The items are those received within ``window`` that are not settled yet (all of them with ``reprocess``), and
        with ``include_backlog`` what is unsettled from before it. Deterministic; what the run was given before it
        keeps, in the same shards, also after it was killed and repeated.
        """
        unsettled = source_item.c.status != ItemStatus.SETTLED.value
        inside = and_(source_item.c.received_at >= window.start, source_item.c.received_at < window.end)
        wanted = inside if reprocess else and_(inside, unsettled)
        if include_backlog:
            wanted = or_(wanted, and_(source_item.c.received_at < window.start, unsettled))

        def work(connection: Connection) -> None:
            given = connection.execute(
                select(run_item.c.item_id, run_item.c.shard_no).where(run_item.c.batch_id == batch_id)
            ).all()
            known = {row.item_id for row in given}
            candidates = connection.execute(
                select(source_item.c.item_id, source_item.c.size_bytes)
                .where(source_item.c.source_code.in_(list(source_codes)), wanted)
                .order_by(source_item.c.received_at, source_item.c.item_id)
            )
            shard_no = max((row.shard_no for row in given), default=-1) + 1
            n_items, n_bytes = 0, 0
            rows: list[dict[str, Any]] = []
            for item_id, size_bytes in candidates:
                if item_id in known:
                    continue
                if n_items and (n_items >= max_items or n_bytes + size_bytes > max_bytes):
                    shard_no, n_items, n_bytes = shard_no + 1, 0, 0
                n_items, n_bytes = n_items + 1, n_bytes + size_bytes
                rows.append({"batch_id": batch_id, "item_id": item_id, "shard_no": shard_no})
            if rows:
                connection.execute(insert(run_item), rows)

        self.write(work)
        return self.shards_of(batch_id)

    def shards_of(self, batch_id: str) -> tuple[Shard, ...]:
        """The run's shards, by number."""
        query = (
            select(run_item.c.shard_no, func.count(), func.sum(source_item.c.size_bytes))
            .join(source_item, source_item.c.item_id == run_item.c.item_id)
            .where(run_item.c.batch_id == batch_id)
            .group_by(run_item.c.shard_no)
            .order_by(run_item.c.shard_no)
        )
        with self.reading() as connection:
            return tuple(Shard(no, items, int(size)) for no, items, size in connection.execute(query))

    def shard_items(self, batch_id: str, shard_no: int) -> tuple[ItemRow, ...]:
        """The items of one shard, oldest first."""
        query: Select[Any] = (
            select(*_ITEM)
            .join(run_item, run_item.c.item_id == source_item.c.item_id)
            .where(run_item.c.batch_id == batch_id, run_item.c.shard_no == shard_no)
            .order_by(source_item.c.received_at, source_item.c.item_id)
        )
        with self.reading() as connection:
            return tuple(item_row(row) for row in connection.execute(query))

    def record_item_error(self, item_id: str, error: str) -> None:
        """Note why an item could not be unpacked at all. It stays RECEIVED, and the run counts it as lost."""
        self.write(
            lambda connection: connection.execute(
                update(source_item).where(source_item.c.item_id == item_id).values(error_text=error)
            )
        )

    def mark_settled(self, item_id: str, verdict: Verdict) -> None:
        """Note that the source was told the verdict."""
        settled = {"status": ItemStatus.SETTLED.value, "verdict": verdict.value}
        self.write(
            lambda connection: connection.execute(
                update(source_item).where(source_item.c.item_id == item_id).values(**settled)
            )
        )

    def documents_of_item(self, item_id: str) -> tuple[DocumentRow, ...]:
        with self.reading() as connection:
            found = connection.execute(
                select(document).where(document.c.item_id == item_id).order_by(document.c.document_id)
            )
            return tuple(sorted((document_row(row._mapping) for row in found), key=lambda row: row.part_path))

    def record_unpacked(
        self, item_id: str, documents: Sequence[NewDocument], *, batch_id: str
    ) -> tuple[DocumentRow, ...]:
        """Enter an item's documents and an invoice for each PRIMARY one whose bytes are new; all as now recorded.

        Bytes known from another document make this one its DUPLICATE (rule DUP-1) and no second invoice. Among equal
        bytes the document received first is the primary one, in whatever order they are unpacked, as long as none of
        them is loaded. A PRIMARY document with a problem puts its invoice into QUARANTINED. Repeating it changes
        nothing but what the unpacker now says differently about a problem.
        """

        def work(connection: Connection) -> None:
            owner = connection.execute(
                select(source_item.c.received_at, source_item.c.status).where(source_item.c.item_id == item_id)
            ).one()
            for new in sorted(documents, key=lambda each: each.part_path):
                self._record_document(connection, item_id, owner.received_at, new, batch_id)
            if owner.status == ItemStatus.RECEIVED.value:
                connection.execute(
                    update(source_item)
                    .where(source_item.c.item_id == item_id)
                    .values(status=ItemStatus.UNPACKED.value, error_text=None)
                )

        self.write(work)
        return self.documents_of_item(item_id)

    def _record_document(
        self, connection: Connection, item_id: str, received_at: datetime, new: NewDocument, batch_id: str
    ) -> None:
        document_id = identity.document_id(item_id, new.part_path)
        known = connection.execute(select(document).where(document.c.document_id == document_id)).first()
        if known:
            self._update_problem(connection, known, new)
            return
        values: dict[str, Any] = {
            "document_id": document_id,
            "item_id": item_id,
            "part_path": new.part_path,
            "file_name": new.file_name,
            "media_type": new.media_type,
            "size_bytes": new.size_bytes,
            "content_sha256": new.content_sha256,
            "blob_uri": new.blob_uri,
            "doc_role": new.role.value,
            "reason": shortened(new.reason),
            "n_pages": new.n_pages,
            "problem_code": new.problem_code,
            "problem": new.problem,
        }
        if new.role is not DocumentRole.PRIMARY:
            connection.execute(insert(document).values(**values))
            return
        first = connection.execute(
            select(
                document.c.document_id,
                document.c.part_path,
                document.c.file_name,
                document.c.item_id,
                source_item.c.source_code,
                source_item.c.received_at,
                invoice.c.invoice_id,
                invoice.c.status,
            )
            .select_from(invoice)
            .join(document, document.c.document_id == invoice.c.primary_document_id)
            .join(source_item, source_item.c.item_id == document.c.item_id)
            .where(invoice.c.content_sha256 == new.content_sha256)
            .with_for_update(of=invoice)
        ).first()
        if first is None:
            connection.execute(insert(document).values(**values))
            self._receive_invoice(connection, document_id, received_at, new, batch_id)
            return
        is_earlier = (received_at, item_id, new.part_path) < (first.received_at, first.item_id, first.part_path)
        if is_earlier and Status(first.status) in _NOT_LOADED:
            connection.execute(insert(document).values(**values))
            connection.execute(
                update(document)
                .where(
                    (document.c.document_id == first.document_id) | (document.c.first_document_id == first.document_id)
                )
                .values(
                    doc_role=DocumentRole.DUPLICATE.value,
                    first_document_id=document_id,
                    reason=_same_bytes(new.file_name, received_at),
                )
            )
            connection.execute(
                update(invoice)
                .where(invoice.c.invoice_id == first.invoice_id)
                .values(primary_document_id=document_id, received_at=received_at)
            )
            return
        values |= {
            "doc_role": DocumentRole.DUPLICATE.value,
            "first_document_id": first.document_id,
            "reason": _same_bytes(first.file_name, first.received_at),
        }
        connection.execute(insert(document).values(**values))

    def _receive_invoice(
        self, connection: Connection, document_id: str, received_at: datetime, new: NewDocument, batch_id: str
    ) -> None:
        invoice_id = identity.invoice_id(new.content_sha256)
        now = utc_now()
        connection.execute(
            insert(invoice).values(
                invoice_id=invoice_id,
                content_sha256=new.content_sha256,
                primary_document_id=document_id,
                batch_id=batch_id,
                status=Status.RECEIVED.value,
                status_reason="",
                lock_version=1,
                received_at=received_at,
                created_at=now,
                updated_at=now,
            )
        )
        append_event(connection, invoice_id, "", Status.RECEIVED, actor=self.actor, reason="received")
        if new.problem_code:
            self._quarantine_document(connection, invoice_id, Status.RECEIVED, 1, new)

    def _quarantine_document(
        self, connection: Connection, invoice_id: str, status: Status, lock_version: int, new: NewDocument
    ) -> None:
        change_status(
            connection,
            invoice_id,
            from_status=status,
            lock_version=lock_version,
            to_status=Status.QUARANTINED,
            actor=self.actor,
            reason=f"{new.problem_code}: {new.problem or 'the document cannot be used'}",
        )

    def _update_problem(self, connection: Connection, known: Row[Any], new: NewDocument) -> None:
        if (known.problem_code, known.problem) == (new.problem_code, new.problem):
            return
        connection.execute(
            update(document)
            .where(document.c.document_id == known.document_id)
            .values(problem_code=new.problem_code, problem=new.problem)
        )
        stands = connection.execute(
            select(invoice.c.invoice_id, invoice.c.status, invoice.c.lock_version).where(
                invoice.c.primary_document_id == known.document_id
            )
        ).first()
        if stands and new.problem_code and stands.status in {each.value for each in UNFINISHED}:
            self._quarantine_document(connection, stands.invoice_id, Status(stands.status), stands.lock_version, new)


def _same_bytes(file_name: str, received_at: datetime) -> str:
    return shortened(f"DUP-1: the same bytes as {file_name}, received {received_at:%Y-%m-%d %H:%M} UTC")

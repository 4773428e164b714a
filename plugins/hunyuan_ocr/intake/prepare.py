"""Prepare: unpack source items into documents, read what needs no model, decide which pages need eyes."""

from __future__ import annotations

from collections import Counter

from hunyuan_ocr.intake.problems import leave_packed, set_aside, told
from hunyuan_ocr.intake.run import IntakeRun
from hunyuan_ocr.intake.stores import Intake
from hunyuan_ocr.readers.document import DocumentPages, inspect
from hunyuan_ocr.sources.unpack import UnpackedDocument, unpack
from hunyuan_ocr.staging.lifecycle import Status
from hunyuan_ocr.staging.rows import ItemRow, NewDocument, PageFacts
from hunyuan_ocr.staging.tables.pipeline import ItemStatus


def prepare(intake: Intake, run: IntakeRun, shard_no: int) -> dict[str, int]:
    """Unpack the shard's items and record what each page of their documents says by itself."""
    batch, counts = (
        intake.batch(run),
        Counter(items=0, not_unpacked=0, documents=0, set_aside=0, pages=0, pages_to_read=0),
    )
    for item in intake.store.shard_items(batch, shard_no):
        counts["items"] += 1
        if item.status is ItemStatus.RECEIVED:
            try:
                unpacked = _unpacked(intake, item)
            except Exception as error:
                leave_packed(intake.store, item.item_id, error, item.file_name or "the mail")
                counts["not_unpacked"] += 1
                continue
            documents = [_new_document(intake, document) for document in unpacked]
            intake.store.record_unpacked(item.item_id, documents, batch_id=batch)
        counts["documents"] += len(intake.store.documents_of_item(item.item_id))
    statuses = None if run.reprocess else {Status.RECEIVED}
    for row in intake.store.invoices_in_shard(batch, shard_no, statuses):
        if intake.store.pages_of(row.content_sha256):
            continue
        try:
            raw = intake.archive.get(row.content_sha256)
            document = inspect(raw, row.media_type, file_name=row.file_name, budget=intake.budget)
        except Exception as error:
            set_aside(intake.store, row.invoice_id, error, row.file_name)
            counts["set_aside"] += 1
        else:
            _record_pages(intake, row.content_sha256, document)
            counts["pages"] += len(document.pages)
            counts["pages_to_read"] += len(document.page_numbers_for_eyes)
    return dict(counts)


def _unpacked(intake: Intake, item: ItemRow) -> list[UnpackedDocument]:
    raw = intake.archive.get(item.raw_sha256)
    config = intake.sources.get(item.source_code)
    return unpack(
        raw,
        file_name=item.file_name,
        is_mail=item.is_mail,
        limits=intake.unpack_limits,
        accepts_name=config.filters.file_names.accepts if config and item.is_mail else None,
    )


def _new_document(intake: Intake, document: UnpackedDocument) -> NewDocument:
    archived = intake.archive.put(document.raw)
    problem = document.problem
    return NewDocument(
        part_path=document.part_path,
        file_name=document.file_name,
        media_type=document.media_type,
        size_bytes=archived.size,
        content_sha256=document.content_sha256,
        blob_uri=archived.uri,
        role=document.role,
        reason=document.reason,
        problem_code=problem.reason_code if problem else None,
        problem=told(problem) if problem else None,
    )


def _record_pages(intake: Intake, content_sha256: str, document: DocumentPages) -> None:
    pages: list[PageFacts] = []
    for page in document.pages:
        reading = page.reading
        if reading and not page.needs_eyes:
            intake.store.record_reading(content_sha256, reading.reader_version, reading)
        pages.append(
            PageFacts(
                page_no=page.page_no,
                needs_eyes=page.needs_eyes,
                reason=page.reason,
                width=reading.width if reading else 0,
                height=reading.height if reading else 0,
                rotation=reading.rotation if reading else 0,
            )
        )
    # Last: a document with recorded pages counts as prepared, so a killed task must not have written only some.
    intake.store.record_pages(content_sha256, pages)

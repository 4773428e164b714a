"""What a run reports, and which source items it may settle with which verdict."""

from __future__ import annotations

from sqlalchemy import select, text

from hunyuan_ocr.model.documents import DocumentRole
from hunyuan_ocr.sources.base import Verdict
from hunyuan_ocr.staging import tables
from hunyuan_ocr.staging.lifecycle import Status
from hunyuan_ocr.staging.repository import Store
from tests.staging.builders import a_document, a_finding, an_invoice, extraction, open_run, receive, validated


def verdicts(store: Store, batch_id: str) -> dict[str, Verdict]:
    return {item.external_key: item.verdict for item in store.items_ready_to_settle(batch_id)}


def a_mixed_run(store: Store) -> str:
    batch = open_run(store)
    store.load(validated(store, batch, "good", an_invoice("A-1"), hour=1), batch_id=batch)
    store.load(validated(store, batch, "bad", an_invoice("B-1"), hour=2, findings=[a_finding()]), batch_id=batch)
    store.load(validated(store, batch, "copy", an_invoice("A-1"), hour=3), batch_id=batch)
    receive(store, batch, "same bytes as good", a_document("good"), hour=4)
    receive(store, batch, "same bytes as bad", a_document("bad"), hour=5)
    receive(store, batch, "locked", a_document("locked", problem_code="ENCRYPTED", problem="password"), hour=6)
    receive(store, batch, "empty", hour=7)
    receive(store, batch, "logo", a_document("logo", role=DocumentRole.IGNORED, reason="signature picture"), hour=8)
    receive(store, batch, "unread", a_document("unread"), a_document("good", part="2"), hour=9)
    return batch


def test_the_summary_accounts_for_every_document(store: Store) -> None:
    batch = a_mixed_run(store)
    summary = store.batch_summary(batch)

    assert (summary.items, summary.documents, summary.duplicates) == (9, 9, 3)
    assert summary.by_status == {
        Status.STAGED: 1,
        Status.REVIEW: 1,
        Status.DUPLICATE: 1,
        Status.QUARANTINED: 1,
        Status.RECEIVED: 1,
    }
    assert summary.reject_ratio == 0.4
    assert [(each.rule_id, each.file_name, each.invoice_number) for each in summary.rejections] == [
        ("BR-CO-15", "bad.pdf", "B-1")
    ]
    assert [each.file_name for each in summary.quarantined] == ["locked.pdf"]
    assert [(each.file_name, each.reason) for each in summary.ignored] == [("logo.pdf", "signature picture")]
    assert len(summary.lost) == 1


def test_items_are_settled_when_all_their_documents_are_final(store: Store) -> None:
    batch = a_mixed_run(store)
    assert verdicts(store, batch) == {
        "mail good": Verdict.ACCEPTED,
        "mail bad": Verdict.NEEDS_REVIEW,
        "mail copy": Verdict.ACCEPTED,
        "same bytes as good": Verdict.ACCEPTED,
        "same bytes as bad": Verdict.NEEDS_REVIEW,
        "locked": Verdict.NEEDS_REVIEW,
        "empty": Verdict.NEEDS_REVIEW,
        "logo": Verdict.ACCEPTED,
    }
    for item in store.items_ready_to_settle(batch):
        store.mark_settled(item.item_id, item.verdict)
    assert verdicts(store, batch) == {}


def test_closing_a_run_writes_its_counts(store: Store) -> None:
    batch = a_mixed_run(store)
    store.close_batch(batch, failed=True)
    with store.engine.connect() as connection:
        row = connection.execute(select(tables.stg_batch)).one()
    counts = (row.n_docs, row.n_staged, row.n_review, row.n_duplicate, row.n_quarantined, row.n_rejected)
    assert counts == (8, 1, 1, 4, 1, 0)
    assert (row.status, row.finished_at is None) == ("FAILED", False)


def test_everything_that_is_not_staged_stands_in_the_view_with_what_to_do(store: Store) -> None:
    batch = a_mixed_run(store)
    with store.engine.connect() as connection:
        rows = connection.execute(text("SELECT file_name, doc_state, needs_action, what_to_do FROM v_attention")).all()
    shown = sorted((row.file_name, row.doc_state, row.needs_action) for row in rows)
    assert shown == [
        ("bad.pdf", "DUPLICATE", 0),
        ("bad.pdf", "REVIEW", 1),
        ("copy.pdf", "DUPLICATE", 0),
        ("good.pdf", "DUPLICATE", 0),
        ("good.pdf", "DUPLICATE", 0),
        ("locked.pdf", "QUARANTINED", 1),
        ("logo.pdf", "IGNORED", 0),
        ("unread.pdf", "RECEIVED", 1),
    ]
    assert all(row.what_to_do for row in rows)
    assert store.batch_summary(batch).documents == len(rows) + 1


def test_evidence_and_findings_come_back_as_they_were_given(store: Store) -> None:
    batch = open_run(store)
    invoice = an_invoice("A-1")
    invoice_id = validated(store, batch, "a", invoice, findings=[a_finding("B"), a_finding("A"), a_finding("B")])
    given = extraction(invoice)

    assert sorted(store.field_values_of(invoice_id), key=lambda each: each.field_path, reverse=True) == list(
        given.field_values
    )
    assert store.findings_of(invoice_id) == (a_finding("A"), a_finding("B"), a_finding("B"))
    extracted = store.extracted(invoice_id)
    assert extracted is not None
    assert (extracted.invoice, extracted.profile, extracted.extracted_from) == (invoice, "invoice_en", "TEXT")
    assert extracted.confidence_min == 0.99


def test_the_same_extraction_or_findings_again_are_no_event(store: Store) -> None:
    batch = open_run(store)
    item_id = receive(store, batch, "mail", a_document("a"))
    invoice_id = store.documents_of_item(item_id)[0].invoice_id
    assert store.record_extraction(invoice_id, extraction())
    assert not store.record_extraction(invoice_id, extraction())
    assert store.record_extraction(invoice_id, extraction(an_invoice("A-2"))), "not validated yet: read again"
    assert store.record_findings(invoice_id, [a_finding()], "rules 1")
    assert not store.record_findings(invoice_id, [a_finding()], "rules 1")
    assert store.record_findings(invoice_id, [], "rules 2")
    assert not store.record_extraction(invoice_id, extraction()), "further on: only with reprocess"
    assert store.verify_events(invoice_id) == 5

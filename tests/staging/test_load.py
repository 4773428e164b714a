"""A validated invoice is staged once, or stands in review with its reasons, or is a duplicate of the one staged."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, select, text

from hunyuan_ocr.exceptions import StaleStateError
from hunyuan_ocr.model.findings import Severity
from hunyuan_ocr.model.invoice import AllowanceCharge, Line, Party, Payment, TaxIdType
from hunyuan_ocr.staging import tables
from hunyuan_ocr.staging.lifecycle import Status
from hunyuan_ocr.staging.repository import Store
from hunyuan_ocr.staging.rows import LoadVerdict
from tests.staging.builders import (
    PASSED,
    a_document,
    a_finding,
    an_invoice,
    extraction,
    open_run,
    receive,
    validated,
)


def rows_of(store: Store, table: str) -> list[dict[str, object]]:
    with store.engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(select(tables.metadata.tables[table]))]


def scalar(store: Store, sql: str) -> object:
    with store.engine.connect() as connection:
        return connection.execute(text(sql)).scalar()


def test_a_clean_invoice_is_staged_with_all_its_parts(store: Store) -> None:
    invoice = an_invoice(
        allowances_charges=(AllowanceCharge(is_charge=True, amount=Decimal("5.00"), reason="freight"),),
        payments=(Payment(means_code="58", iban_or_account="DE89370400440532013000"),),
        lines=(
            Line(
                line_no=1,
                name="螺丝",
                quantity=Decimal("0.3333333333"),
                net_amount=Decimal("100.00"),
                allowances_charges=(AllowanceCharge(is_charge=False, amount=Decimal("1.00")),),
            ),
        ),
    )
    batch = open_run(store)
    invoice_id = validated(store, batch, "a", invoice)

    result = store.load(invoice_id, batch_id=batch)

    assert (result.status, result.changed) == (Status.STAGED, True)
    header = rows_of(store, "stg_invoice")[0]
    assert header["status"] == "STAGED"
    assert header["total_with_tax"] == Decimal("119.00")
    assert header["issue_date"] == date(2026, 11, 1)
    assert header["buyer_name"] == "北京示例科技有限公司"
    assert header["file_name"] == "a.pdf"
    assert header["extracted_from"] == "TEXT"
    assert [(row["line_no"], row["quantity"]) for row in rows_of(store, "stg_invoice_line")] == [
        (1, Decimal("0.3333333333"))
    ]
    assert [row["tax_rate"] for row in rows_of(store, "stg_invoice_tax")] == [Decimal(19)]
    charges = sorted(
        (row["charge_no"], row["line_no"], row["is_charge"]) for row in rows_of(store, "stg_invoice_charge")
    )
    assert charges == [(1, None, 1), (2, 1, 0)]
    assert [row["means_code"] for row in rows_of(store, "stg_invoice_payment")] == ["58"]
    assert rows_of(store, "stg_rejection") == []
    assert scalar(store, "SELECT COUNT(*) FROM v_stg_ready") == 1
    assert scalar(store, "SELECT COUNT(*) FROM v_attention") == 0


def test_the_company_an_invoice_is_for_stands_in_its_row(store: Store) -> None:
    batch = open_run(store)
    store.load(validated(store, batch, "a"), batch_id=batch, company_code="1000")
    assert rows_of(store, "stg_invoice")[0]["erp_company_code"] == "1000"


def test_loading_again_changes_nothing(store: Store) -> None:
    batch = open_run(store)
    invoice_id = validated(store, batch, "a")
    store.load(invoice_id, batch_id=batch)
    before, events = store.dump_staging(), len(store.events_of(invoice_id))

    result = store.load(invoice_id, batch_id=batch)

    assert (result.status, result.changed) == (Status.STAGED, False)
    assert store.dump_staging() == before
    assert store.verify_events(invoice_id) == events == 4


def test_an_invoice_that_is_not_validated_cannot_be_loaded(store: Store) -> None:
    batch = open_run(store)
    item_id = receive(store, batch, "mail", a_document("a"))
    invoice_id = store.documents_of_item(item_id)[0].invoice_id
    with pytest.raises(StaleStateError, match="validate it"):
        store.load(invoice_id, batch_id=batch)


def test_a_failed_rule_sends_the_invoice_to_review_with_its_reasons(store: Store) -> None:
    batch = open_run(store)
    findings = [a_finding("BR-CO-15"), a_finding("DATE-1"), a_finding("CN-NUM-3", severity=Severity.WARN), PASSED]
    invoice_id = validated(store, batch, "a", findings=findings, review_reasons=["two readers disagree on the total"])

    assert store.load(invoice_id, batch_id=batch).status is Status.REVIEW

    rejections = {row["rule_id"]: row for row in rows_of(store, "stg_rejection")}
    assert set(rejections) == {"BR-CO-15", "DATE-1", "EXTRACTION"}
    assert rejections["BR-CO-15"]["expected"] == "119.00"
    assert rejections["BR-CO-15"]["file_name"] == "a.pdf"
    assert rejections["BR-CO-15"]["seller_name"] == "Muster GmbH"
    assert rejections["EXTRACTION"]["message_en"] == "two readers disagree on the total"
    assert store.invoice(invoice_id).status_reason == "BR-CO-15, DATE-1, EXTRACTION"
    assert rows_of(store, "stg_invoice") == []
    assert scalar(store, "SELECT what_to_do FROM v_attention WHERE needs_action = 1 AND n_rejections = 3") is not None


def test_a_verdict_given_counts_instead_of_the_recorded_findings(store: Store) -> None:
    batch = open_run(store)
    invoice_id = validated(store, batch, "a", findings=[a_finding(severity=Severity.WARN)])
    verdict = LoadVerdict(rejections=(a_finding(severity=Severity.WARN),))
    assert store.load(invoice_id, batch_id=batch, verdict=verdict).status is Status.REVIEW


def test_the_same_invoice_in_another_file_is_a_duplicate_of_the_first(store: Store) -> None:
    batch = open_run(store)
    first = validated(store, batch, "a", an_invoice("INV-001"), hour=9)
    second = validated(store, batch, "b", an_invoice("inv 001"), hour=10)
    assert store.load_order(batch) == (first, second)

    results = [store.load(each, batch_id=batch) for each in store.load_order(batch)]

    assert [result.status for result in results] == [Status.STAGED, Status.DUPLICATE]
    assert results[1].related_invoice_id == first
    assert "a.pdf" in store.invoice(second).status_reason
    assert len(rows_of(store, "stg_invoice")) == 1


def test_a_copy_that_lacks_the_sellers_tax_id_is_a_duplicate_too(store: Store) -> None:
    batch = open_run(store)
    first = validated(store, batch, "with id", hour=9)
    second = validated(store, batch, "without", an_invoice(seller=Party(name="MUSTER GmbH.", country="DE")), hour=10)

    results = [store.load(each, batch_id=batch) for each in store.load_order(batch)]

    assert [result.status for result in results] == [Status.STAGED, Status.DUPLICATE]
    assert (results[1].related_invoice_id, store.invoice(second).status) == (first, Status.DUPLICATE)


def test_two_sellers_of_one_name_with_different_tax_ids_are_two(store: Store) -> None:
    batch = open_run(store)
    other = Party(name="Muster GmbH", tax_id="DE136695976", tax_id_type=TaxIdType.EU_VAT, country="DE")
    validated(store, batch, "one", hour=9)
    validated(store, batch, "two", an_invoice(seller=other), hour=10)

    results = [store.load(each, batch_id=batch) for each in store.load_order(batch)]

    assert [result.status for result in results] == [Status.STAGED, Status.STAGED]


def test_the_same_number_with_another_total_is_a_conflict_that_names_the_other(store: Store) -> None:
    batch = open_run(store)
    first = validated(store, batch, "a", hour=9)
    second = validated(store, batch, "b", an_invoice(total_with_tax=Decimal("200.00")), hour=10)
    store.load(first, batch_id=batch)

    result = store.load(second, batch_id=batch)

    assert (result.status, result.related_invoice_id) == (Status.REVIEW, first)
    rejection = rows_of(store, "stg_rejection")[0]
    assert (rejection["rule_id"], rejection["related_invoice_id"]) == ("DUP-3", first)
    assert "a.pdf" in str(rejection["message_en"])
    assert (rejection["expected"], rejection["actual"]) == ("119 EUR, 2026-11-01", "200 EUR, 2026-11-01")


@pytest.mark.parametrize("bad_first", [True, False])
def test_of_a_good_and_a_bad_copy_the_good_one_is_staged_in_either_order(store: Store, bad_first: bool) -> None:
    batch = open_run(store)
    bad = validated(store, batch, "bad", findings=[a_finding("CN-ID-1")], hour=9 if bad_first else 10)
    good = validated(store, batch, "good", hour=10 if bad_first else 9)

    for invoice_id in store.load_order(batch):
        store.load(invoice_id, batch_id=batch)

    assert store.invoice(good).status is Status.STAGED
    assert store.invoice(bad).status is Status.DUPLICATE
    assert store.batch_summary(batch).rejections == ()
    assert all(row["resolved_at"] for row in rows_of(store, "stg_rejection"))


def test_a_value_the_staging_columns_cannot_hold_goes_to_review_uncut(store: Store) -> None:
    batch = open_run(store)
    long = validated(store, batch, "a", an_invoice("A-1", purchase_order_ref="9" * 101, exchange_rate=Decimal("1E-10")))
    assert store.load(long, batch_id=batch).status is Status.REVIEW
    assert {row["field_path"] for row in rows_of(store, "stg_rejection")} == {
        "stg_invoice.purchase_order_ref",
        "stg_invoice.exchange_rate",
    }


def test_reprocessing_with_another_result_replaces_the_staged_rows(store: Store) -> None:
    batch = open_run(store)
    invoice_id = validated(store, batch, "a")
    store.load(invoice_id, batch_id=batch)

    corrected = an_invoice(due_date=date(2026, 12, 1), lines=an_invoice().lines[:2])
    assert store.record_extraction(invoice_id, extraction(corrected), reprocess=True)
    assert scalar(store, "SELECT COUNT(*) FROM v_stg_ready") == 0, "the ERP must not take what is being read again"
    assert rows_of(store, "stg_invoice")[0]["status"] == "EXTRACTED"
    store.record_findings(invoice_id, [PASSED], "rules 2")
    assert store.load(invoice_id, batch_id=batch).status is Status.STAGED

    header = rows_of(store, "stg_invoice")[0]
    assert (header["due_date"], header["status"]) == (date(2026, 12, 1), "STAGED")
    assert len(rows_of(store, "stg_invoice_line")) == 2


def test_reprocessing_with_the_same_result_leaves_identical_rows(store: Store) -> None:
    batch = open_run(store)
    invoice_id = validated(store, batch, "a")
    store.load(invoice_id, batch_id=batch)
    before = store.dump_staging()
    staged_at = rows_of(store, "stg_invoice")[0]["staged_at"]

    assert store.record_extraction(invoice_id, extraction(), reprocess=True)
    store.record_findings(invoice_id, [PASSED], "rules 1")
    store.load(invoice_id, batch_id=open_run(store, "manual__2"))

    assert store.dump_staging() == before
    assert rows_of(store, "stg_invoice")[0]["staged_at"] == staged_at
    assert store.verify_events(invoice_id) == 7


def test_a_reason_that_no_longer_holds_is_resolved_not_deleted(store: Store) -> None:
    batch = open_run(store)
    invoice_id = validated(store, batch, "a", findings=[a_finding("BR-CO-15"), a_finding("DATE-1")])
    store.load(invoice_id, batch_id=batch)

    store.record_extraction(invoice_id, extraction(), reprocess=True)
    store.record_findings(invoice_id, [a_finding("DATE-1")], "rules 2")
    store.load(invoice_id, batch_id=batch)

    resolved = {row["rule_id"]: row["resolved_at"] is not None for row in rows_of(store, "stg_rejection")}
    assert resolved == {"BR-CO-15": True, "DATE-1": False}
    assert [each.rule_id for each in store.batch_summary(batch).rejections] == ["DATE-1"]


def test_what_the_erp_has_or_takes_is_never_reprocessed(store: Store) -> None:
    batch = open_run(store)
    invoice_id = validated(store, batch, "a")
    store.load(invoice_id, batch_id=batch)
    for to_status in (Status.EXPORTING, Status.POSTED):
        version = store.invoice(invoice_id).lock_version
        store.transition(invoice_id, to_status, reason="export", lock_version=version)
        assert not store.record_extraction(invoice_id, extraction(an_invoice("X")), reprocess=True)
    assert rows_of(store, "stg_invoice")[0]["posted_at"] is not None


def test_what_the_erp_wrote_into_its_table_is_not_overwritten(store: Store) -> None:
    batch = open_run(store)
    invoice_id = validated(store, batch, "a")
    store.load(invoice_id, batch_id=batch)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE stg_invoice SET status = 'POSTED', erp_doc_id = '51000001'"))

    assert not store.record_extraction(invoice_id, extraction(an_invoice("X")), reprocess=True)
    with pytest.raises(StaleStateError, match="ERP side"):
        store.transition(
            invoice_id, Status.EXPORTING, reason="export", lock_version=store.invoice(invoice_id).lock_version
        )


def test_decimals_survive_and_compare_as_numbers_in_the_views(store: Store) -> None:
    batch = open_run(store)
    exact = Decimal("123456789012345.12345678")
    for name, total in (("a", exact), ("b", Decimal("99.50")), ("c", Decimal("-100.00"))):
        store.load(validated(store, batch, name, an_invoice(name, total_with_tax=total)), batch_id=batch)
    assert exact in {row["total_with_tax"] for row in rows_of(store, "stg_invoice")}
    assert scalar(store, "SELECT COUNT(*) FROM v_stg_ready WHERE total_with_tax > 100") == 1
    assert scalar(store, "SELECT COUNT(*) FROM v_stg_ready WHERE total_with_tax < 0") == 1
    assert scalar(store, "SELECT SUM(net_amount) FROM v_stg_ready_line") == 300


def test_text_that_a_database_cannot_hold_does_not_stop_the_load(store: Store) -> None:
    batch = open_run(store)
    store.load(validated(store, batch, "a", an_invoice("A\x001", note="lone \ud800 surrogate")), batch_id=batch)
    with store.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(tables.stg_invoice)).scalar() == 1

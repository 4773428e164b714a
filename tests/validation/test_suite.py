"""One real Great Expectations run: it decides, its page explains, and it keeps quiet."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import pytest
from lxml import html as lxml_html

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.model.findings import Severity
from hunyuan_ocr.model.invoice import Invoice
from hunyuan_ocr.validation.rules import REGISTRY, RulePolicy, run_rules
from hunyuan_ocr.validation.suite import (
    DISAGREEMENT,
    BatchValidation,
    InvoiceToValidate,
    Unexpected,
    validate_batch,
    verdict_of,
)
from tests.validation.invoices import change, chinese_invoice, facts, german_invoice, negative, receipt


def to_validate(invoice_id: str, invoice: Invoice, name: str = "scan.pdf", **known: object) -> InvoiceToValidate:
    return InvoiceToValidate(invoice, facts(invoice_id=invoice_id, **known), name)


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> BatchValidation:
    wrong_total = change(chinese_invoice(), total_with_tax=Decimal("987654.32"))
    return validate_batch(
        [
            to_validate("good-de", german_invoice()),
            to_validate("good-cn", chinese_invoice()),
            to_validate("good-receipt", receipt()),
            to_validate("good-credit", negative(german_invoice())),
            to_validate("one-cent", change(german_invoice(), total_with_tax=Decimal("306.74"), amount_due=None)),
            to_validate("wrong-total", wrong_total, "发票 <script>alert(1)</script>.pdf"),
            to_validate("no-number", change(german_invoice(), invoice_number=None), "no-number.pdf"),
            to_validate("withdrawn-currency", change(german_invoice(), currency="DEM")),
        ],
        docs_dir=tmp_path_factory.mktemp("docs"),
        run_name="scheduled__2026-11-20T00:00:00+00:00",
    )


def test_each_invoice_has_its_own_verdict_with_reasons(batch: BatchValidation) -> None:
    told = {v.invoice_id: {reason.rule_id for reason in v.decision.reasons} for v in batch.verdicts}
    assert told == {
        "good-de": set(),
        "good-cn": set(),
        "good-receipt": set(),
        "good-credit": set(),
        "one-cent": set(),
        "wrong-total": {"BR-CO-15", "CN-AMT-1", "CN-WORD-1"},
        "no-number": {"BR-02"},
        "withdrawn-currency": {"CUR-1"},
    }
    assert {v.invoice_id for v in batch.verdicts if v.decision.is_staged} == {
        k for k, rules in told.items() if not rules
    }
    one_cent = next(v for v in batch.verdicts if v.invoice_id == "one-cent")
    assert [finding.rule_id for finding in one_cent.decision.recorded] == ["BR-CO-15"]


def test_every_verdict_keeps_a_finding_for_every_rule(batch: BatchValidation) -> None:
    for verdict in batch.verdicts:
        assert [finding.rule_id for finding in verdict.findings] == list(REGISTRY)


def test_the_statistics_tell_the_run_in_numbers(batch: BatchValidation) -> None:
    statistics = batch.statistics
    assert (statistics.invoices, statistics.accepted, statistics.to_review) == (8, 5, 3)
    assert statistics.failures_by_rule["BR-CO-15"] == 2
    assert statistics.expectations > len(REGISTRY)
    # BR-CO-15 as error and as warning, CN-AMT-1, CN-WORD-1, BR-02 and CUR-1 with their header checks.
    assert statistics.expectations_failed == 8
    assert statistics.gx_version.startswith("1.24")


def test_the_page_explains_every_rule_and_names_the_rejected_invoices(batch: BatchValidation) -> None:
    page = lxml_html.parse(str(batch.docs_index)).getroot()
    text = page.text_content()
    for rule in REGISTRY.values():
        assert f"{rule.id} (" in text
        assert rule.explains_en in text
        assert rule.explains_zh in text
    assert "8 invoices: 5 accepted, 3 sent to review." in text
    assert "CN-AMT-1: Net total plus tax equals the total with tax." in text
    assert "no-number.pdf" in text
    assert "1 unexpected values found" in text


def test_the_page_shows_no_values_of_invoices(batch: BatchValidation) -> None:
    text = batch.docs_index.read_text("utf-8")
    for value in (
        "987654.32",
        "170.07",
        "某某贸易有限公司",
        "91350100M000100Y43",
        "Musterbau",
        "RE-2026-0815",
        "306.7",
    ):
        assert value not in text


def test_the_page_opens_from_disk_without_loading_or_running_anything(batch: BatchValidation) -> None:
    page = lxml_html.parse(str(batch.docs_index)).getroot()
    assert page.xpath("//script | //link | //img | //iframe") == []
    assert page.xpath("//@src | //@onclick") == []
    assert all(href.startswith("#") for href in page.xpath("//@href"))
    for href in page.xpath("//@href"):
        assert page.get_element_by_id(href[1:]) is not None
    assert page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content") == [
        "default-src 'none'; style-src 'unsafe-inline'"
    ]
    assert "<script>alert(1)" in page.text_content()  # shown as text, not run


def test_each_run_keeps_its_own_page_and_a_repeated_run_replaces_it(tmp_path: Path) -> None:
    def run(name: str) -> Path:
        return validate_batch([to_validate("a", receipt())], docs_dir=tmp_path / "docs", run_name=name).docs_index

    pages = [run("manual/2026 11"), run("manual:2026 11"), run("manual/2026 11"), run("../../outside")]
    assert pages[0] == pages[2]
    assert len(set(pages)) == 3
    index = tmp_path / "docs" / "index.html"
    assert sorted((tmp_path / "docs").iterdir()) == sorted({*pages, index})
    linked = [unquote(href) for href in lxml_html.parse(str(index)).xpath("//a/@href")]
    assert sorted(linked) == sorted({page.name for page in pages})


def test_a_batch_without_invoices_is_a_run_too(tmp_path: Path) -> None:
    empty = validate_batch([], docs_dir=tmp_path, run_name="empty")
    assert empty.verdicts == ()
    assert empty.statistics.invoices == 0
    assert "0 invoices" in empty.docs_index.read_text("utf-8")


def test_a_policy_may_send_warnings_to_review_or_soften_an_error(tmp_path: Path) -> None:
    one_cent = change(german_invoice(), total_with_tax=Decimal("306.74"), amount_due=None)
    no_number = change(german_invoice(), invoice_number=None)
    softened = RulePolicy(severity_overrides={"BR-02": Severity.WARN})
    batch = validate_batch(
        [to_validate("one-cent", one_cent), to_validate("no-number", no_number, policy=softened)],
        docs_dir=tmp_path,
        run_name="policy",
        warn_to_review=frozenset({"BR-CO-15"}),
    )
    assert [verdict.decision.is_staged for verdict in batch.verdicts] == [False, True]


def test_a_policy_that_names_an_unknown_rule_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="BR-C0-15"):
        validate_batch([], docs_dir=tmp_path, run_name="typo", warn_to_review=frozenset({"BR-C0-15"}))


def test_two_invoices_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="more than once"):
        validate_batch([to_validate("a", receipt())] * 2, docs_dir=tmp_path, run_name="twice")


@pytest.mark.parametrize(
    ("invoice", "unexpected"),
    [
        (german_invoice(), Unexpected("BR-CO-15", Severity.ERROR, is_rule_column=True)),
        (german_invoice(), Unexpected("BR-02", Severity.ERROR, is_rule_column=False)),
        (change(german_invoice(), invoice_number=None), None),
    ],
    ids=["the suite rejects what the rules pass", "a header check rejects it", "the suite misses a failure"],
)
def test_where_suite_and_rules_disagree_the_invoice_goes_to_review(
    invoice: Invoice, unexpected: Unexpected | None
) -> None:
    item = to_validate("a", invoice)
    verdict = verdict_of(item, run_rules(invoice, item.facts), frozenset({unexpected} if unexpected else ()))
    assert not verdict.decision.is_staged
    assert DISAGREEMENT in {finding.rule_id for finding in verdict.decision.reasons}


QUIET = """
import logging, sys, pathlib
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
from hunyuan_ocr.validation.suite import validate_batch
assert "great_expectations" not in sys.modules and "pandas" not in sys.modules
from tests.validation.test_suite import to_validate
from tests.validation.invoices import chinese_invoice, receipt
invoices = [to_validate("a", chinese_invoice()), to_validate("b", receipt())]
batch = validate_batch(invoices, docs_dir=pathlib.Path(sys.argv[1]), run_name="quiet")
assert batch.docs_index.is_file() and "great_expectations" in sys.modules
"""


def test_importing_and_running_great_expectations_prints_nothing(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", QUIET, str(tmp_path / "docs")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{root / 'plugins'}{os.pathsep}{root}", "HOME": str(tmp_path)},
    )
    assert ran.returncode == 0, ran.stderr
    assert (ran.stdout, ran.stderr) == ("", "")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "index.html",
        "quiet.html",
    ]

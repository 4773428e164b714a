"""An evaluation reports on every document and dies of none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from hunyuan_ocr.evaluation.manifest import Group, LabelledDocument, load_manifest
from hunyuan_ocr.evaluation.report import render
from hunyuan_ocr.evaluation.run import evaluate
from hunyuan_ocr.exceptions import ConfigurationError, EncryptedDocumentError
from hunyuan_ocr.model.invoice import DocumentKind, Invoice
from tests.shared_documents import shared_data_dir


@dataclass
class Read:
    invoice: Invoice


FILES = [
    {
        "file": "pdf/good.pdf", "kind": "invoice_pdf", "text_layer": True,
        "ground_truth": {"doc_type": "invoice", "invoice_number": "4711", "total_amount": "12.00", "currency": "EUR"},
    },
    {
        "file": "scan/locked.pdf", "kind": "invoice_pdf_image", "text_layer": False,
        "ground_truth": {"invoice_number": "1"},
    },
    {"file": "receipt/crash.jpg", "kind": "receipt_scan", "ground_truth": {"total_amount": "3.10"}},
    {
        "file": "xml/two.xml", "kind": "einvoice_xml_ubl",
        "ground_truth": [{"invoice_number": "A"}, {"invoice_number": "B"}],
    },
    {"file": "hostile/bomb.gif", "kind": "hostile", "expect": "refuse"},
]  # fmt: skip


def read(path: Path) -> Read | list[Read]:
    if path.name == "good.pdf":
        return Read(Invoice(document_kind=DocumentKind.INVOICE, invoice_number="4711", total_with_tax=Decimal("12.5")))
    if path.name == "locked.pdf":
        raise EncryptedDocumentError("locked.pdf is protected by a password", document="locked.pdf")
    if path.name == "two.xml":
        return [Read(Invoice(document_kind=DocumentKind.INVOICE, invoice_number=number)) for number in "BA"]
    if path.name == "bomb.gif":
        return []
    raise ZeroDivisionError("a fault of ours")


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"files": FILES}), encoding="utf-8")
    return path


@pytest.fixture
def report(manifest):
    return evaluate(load_manifest(manifest), read)


class TestEvaluate:
    def test_every_document_is_reported_and_none_stops_the_run(self, report):
        assert [document.file for document in report.documents] == [entry["file"] for entry in FILES]
        unread = {document.file: document.unread for document in report.documents if document.unread}
        assert list(unread) == ["scan/locked.pdf", "receipt/crash.jpg", "hostile/bomb.gif"]
        assert unread["scan/locked.pdf"].startswith("ENCRYPTED: ")
        assert unread["receipt/crash.jpg"].startswith("fault of the reader: ZeroDivisionError")

    def test_counts(self, report):
        total = report.tally()
        assert (total.exact, total.missing, total.wrong, total.invented) == (4, 3, 1, 0)
        assert (total.stated, total.given) == (8, 5)
        assert total.exact_share == 0.5 and total.error_share == 0.2

    def test_what_cannot_be_read_counts_as_missing(self, report):
        for group in (Group.SCAN_PHOTO, Group.RECEIPT):
            tally = report.tally(groups=[group])
            assert (tally.missing, tally.exact_share, tally.error_share) == (1, 0.0, None)

    def test_progress_is_told_after_each_document(self, manifest):
        told: list[tuple[int, int, str]] = []
        evaluate(load_manifest(manifest), read, lambda *step: told.append(step))
        assert told == [(number, 5, entry["file"]) for number, entry in enumerate(FILES, start=1)]


class TestReports:
    def test_the_text_has_shares_reasons_and_no_values(self, report):
        text = render(report)
        assert "5 documents, 3 not read" in text
        assert "locked.pdf (invoice_pdf_image): ENCRYPTED" in text
        assert "12.5" not in text and "4711" not in text

    def test_verbose_lists_each_error_with_both_values(self, report):
        text = render(report, verbose=True)
        assert "total_amount: wrong, expected '12.00', got '12.5'" in text
        assert "currency: missing, expected 'EUR', got None" in text

    def test_json_holds_the_same_figures(self, report):
        content = json.loads(report.to_json())
        assert content["total"]["exact"] == 4 and content["total"]["error_share"] == 0.2
        assert content["groups"]["text layer"]["key_fields"]["stated"] == 2
        assert content["fields"]["invoice_number"]["all"]["exact"] == 3
        assert [len(document["fields"]) for document in content["documents"]] == [4, 1, 1, 2, 0]


class TestManifest:
    @pytest.mark.parametrize(
        ("kind", "name", "text_layer", "group"),
        [
            ("invoice_pdf", "a.pdf", True, Group.TEXT_LAYER),
            ("invoice_pdf", "a.pdf", None, Group.TEXT_LAYER),
            ("receipt_pdf", "a.pdf", True, Group.TEXT_LAYER),
            ("invoice_pdf_image", "a.pdf", False, Group.SCAN_PHOTO),
            ("cn_vat_image", "a.PNG", None, Group.SCAN_PHOTO),
            ("receipt_scan", "a.jpg", None, Group.RECEIPT),
            ("cn_ofd_invoice", "a.ofd", None, Group.STRUCTURED),
            ("einvoice_xml_cii", "a.xml", None, Group.STRUCTURED),
            ("business_rule_testset", "a.xml", None, Group.OTHER),
            ("email", "a.eml", None, Group.OTHER),
            ("hostile", "a.pdf", None, Group.OTHER),
        ],
    )
    def test_groups(self, kind, name, text_layer, group):
        assert LabelledDocument(name, Path(name), kind, has_text_layer=text_layer).group is group

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("not json", "cannot be read"),
            ("[]", 'no list under "files"'),
            ('{"files": [{"file": "a.pdf"}]}', "entry 1"),
            ('{"files": [{"file": "a", "kind": "b", "ground_truth": "yes"}]}', "ground_truth"),
        ],
    )
    def test_a_manifest_of_another_shape_is_refused_with_its_name(self, tmp_path, text, complaint):
        path = tmp_path / "labels.json"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigurationError, match=rf"labels\.json.*{complaint}"):
            load_manifest(path)

    def test_an_absent_manifest_is_a_mistake_of_ours(self, tmp_path):
        with pytest.raises(ConfigurationError, match=r"none\.json"):
            load_manifest(tmp_path / "none.json")

    @pytest.mark.shared_documents
    def test_the_collected_set_loads_with_every_file_present(self):
        manifest = load_manifest(shared_data_dir() / "manifest.json")
        assert len(manifest.documents) > 100
        assert all(document.path.is_file() for document in manifest.documents)
        assert {document.group for document in manifest.documents} == set(Group)

"""Prompt profiles: a file per document kind, checked when it is loaded; a new kind needs no code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.extraction.prompts import PromptProfile, invoice_profiles, load_profiles
from hunyuan_ocr.extraction.reconcile import reconcile
from hunyuan_ocr.model.geometry import Reading
from hunyuan_ocr.model.invoice import DocumentKind

_MINIMAL = """
code: parking_ticket
version: 1
title: Parking ticket
languages: [en]
document_kind: receipt
recognise:
  titles: {parking ticket: 8}
  anchors: {bay: 2}
fields:
  invoice_number: {type: number, labels: [ticket serial]}
  issue_date: {type: date, labels: [entered on]}
  total_with_tax: {type: money, labels: [fee charged]}
"""

_TRANSLATION = """
code: into_english
version: 1
title: Into English
languages: [de]
task: translation
translate_into: en
"""


def _folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_shipped_profiles_load_and_cover_every_promised_kind(profiles: tuple[PromptProfile, ...]) -> None:
    codes = {profile.code for profile in profiles}
    assert {"cn_vat_invoice", "invoice_en", "invoice_de", "invoice_fr", "invoice_es", "receipt"} <= codes
    assert all(len(profile.sha256) == 64 for profile in profiles)


def test_a_new_document_kind_is_one_file(tmp_path: Path, draw: Callable[..., Reading]) -> None:
    profiles = load_profiles(_folder(tmp_path, parking=_MINIMAL))
    page = draw("""
    PARKING TICKET
    Ticket serial: P-00917      Bay 12
    Entered on: 14 May 2024
    Fee charged: EUR 7.50
    """)
    invoice = reconcile([page], profiles=profiles).invoice
    assert invoice.invoice_number == "P-00917"
    assert invoice.issue_date == date(2024, 5, 14)
    assert invoice.total_with_tax == Decimal("7.50")


def test_the_hash_changes_with_the_text(tmp_path: Path) -> None:
    (before,) = load_profiles(_folder(tmp_path, parking=_MINIMAL))
    (after,) = load_profiles(_folder(tmp_path, parking=_MINIMAL.replace("fee charged", "fee paid")))
    assert before.sha256 != after.sha256


def test_no_yes_and_on_are_labels_and_not_truth_values(tmp_path: Path) -> None:
    (profile,) = load_profiles(_folder(tmp_path, parking=_MINIMAL.replace("[ticket serial]", "[No, On]")))
    assert [label.text for label in profile.fields["invoice_number"].labels] == ["No", "On"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (_MINIMAL.replace("invoice_number:", "invoice_no:"), "invoice_no"),
        (_MINIMAL.replace("type: money", "type: cash"), "fields.total_with_tax.type"),
        (_MINIMAL.replace("version: 1", "version: one"), "version"),
        (_MINIMAL + "colour: blue\n", "colour"),
        (
            _MINIMAL.replace("labels: [entered on]", "labels: [entered on], patterns: ['(']"),
            "fields.issue_date.patterns",
        ),
        (_MINIMAL + "table: {columns: {prize: [Prize]}}\n", "table.columns"),
        (_MINIMAL.replace("languages: [en]", "languages: []"), "languages"),
        (_MINIMAL.replace("document_kind: receipt\n", ""), "document_kind"),
        (_MINIMAL + "instructions: {fields: Read the values.}\n", "instructions.fields"),
        (_MINIMAL + "instructions: {language: fr}\n", "instructions.language"),
        (_MINIMAL + "task: spotting\n", "task"),
        (_MINIMAL + "task: parsing\n", "fields"),
        (_TRANSLATION.replace("translate_into: en\n", ""), "translate_into"),
    ],
)
def test_a_wrong_file_is_refused_with_file_and_key(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_profiles(_folder(tmp_path, parking=text))
    assert "parking.yaml" in str(refused.value)
    assert key in str(refused.value)


def test_a_file_that_is_not_yaml_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"broken\.yaml"):
        load_profiles(_folder(tmp_path, broken="code: [unclosed"))


def test_two_files_with_one_code_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="parking_ticket"):
        load_profiles(_folder(tmp_path, a=_MINIMAL, b=_MINIMAL))


def test_labels_borrowed_from_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="invoice_xx"):
        load_profiles(_folder(tmp_path, parking=_MINIMAL + "also_labels_of: [invoice_xx]\n"))


class TestProfilesThatKeepText:
    def test_they_are_loaded_beside_the_others_and_told_apart(self, profiles: tuple[PromptProfile, ...]) -> None:
        text_only = {profile.code for profile in profiles} - {profile.code for profile in invoice_profiles(profiles)}
        assert text_only == {"parse_document", "translate_en", "translate_zh"}

    def test_no_document_is_recognised_as_one(self, tmp_path: Path, draw: Callable[..., Reading]) -> None:
        page = draw("""
        PARKING TICKET
        Ticket serial: P-00917      Bay 12
        Entered on: 14 May 2024
        Fee charged: EUR 7.50
        """)
        alone = reconcile([page], profiles=load_profiles(_folder(tmp_path, parking=_MINIMAL)))
        both = reconcile([page], profiles=load_profiles(_folder(tmp_path, aaa=_TRANSLATION)))
        assert both == alone

    def test_a_document_read_by_one_makes_no_invoice_and_says_why(
        self, profiles: tuple[PromptProfile, ...], draw: Callable[..., Reading]
    ) -> None:
        page = draw("""
        INVOICE
        Invoice No: 2093
        Total: EUR 7.50
        """)
        extraction = reconcile([page], profiles=profiles, profile_name="translate_en")
        assert extraction.invoice.document_kind is DocumentKind.OTHER
        assert extraction.invoice.invoice_number is None
        assert extraction.review_reasons == ("NOT_AN_INVOICE: it was read for its text (translation)",)

    def test_their_labels_cannot_be_borrowed(self, tmp_path: Path) -> None:
        borrowing = _MINIMAL + "also_labels_of: [into_english]\n"
        with pytest.raises(ConfigurationError, match="into_english"):
            load_profiles(_folder(tmp_path, parking=borrowing, english=_TRANSLATION))

    def test_a_folder_with_nothing_else_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="reads fields"):
            load_profiles(_folder(tmp_path, english=_TRANSLATION))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no prompt profile"):
        load_profiles(tmp_path)

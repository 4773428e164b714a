"""The generator's word can be trusted: sums add up, checksums hold, and what the truth says stands on the page."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from reportlab.pdfbase.ttfonts import TTFont
from stdnum import iban
from stdnum.cn import uscc
from stdnum.eu import vat as eu_vat
from stdnum.gb import vat as gb_vat

from demo.samples import LAYOUTS, Sample, demo_set, generate
from demo.samples import ids as sample_ids
from demo.samples.capital import capital_amount
from demo.samples.facts import InvoiceFacts
from demo.samples.locales import LOCALES
from demo.samples.recipes import CHINESE_LAYOUTS, RECEIPT_LAYOUTS, WESTERN_LAYOUTS, Recipe, facts_of
from demo.samples.sets import PASSWORD
from demo.servers import REPOSITORY
from hunyuan_ocr.model.parsing.cn_amount import parse_capital_amount
from hunyuan_ocr.model.parsing.tax_ids import parse_tax_id

DELIVERY = date(2026, 11, 22)
SEEDS = range(6)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return generate(tmp_path_factory.mktemp("labelled"), seed=11, issued_before=DELIVERY, per_layout=2, forms=("pdf",))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return demo_set(tmp_path_factory.mktemp("demo"), DELIVERY)


def good_facts(layouts: tuple[str, ...]) -> list[InvoiceFacts]:
    return [facts_of(Recipe(f"good_{layout}_{s}", layout), s, DELIVERY) for layout in layouts for s in SEEDS]


def printed(day: date) -> set[str]:
    forms = {form(day) for locale in LOCALES.values() for form in locale.date_forms}
    return forms | {f"{day:%Y年%m月%d日}", f"{day:%Y-%m-%d}", f"{day:%b %d, %Y}"}


def printed_amounts(amount: str) -> set[str]:
    value = Decimal(amount)
    forms = {form(value) for locale in LOCALES.values() for form in (locale.number_form,)}
    return forms | {f"{value:.2f}", f"{value:.2f}".replace(".", ",")}


def squeezed(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


def text_of(path: Path) -> str:
    document = pypdfium2.PdfDocument(path)
    return squeezed("".join(page.get_textpage().get_text_range() for page in document))


def test_totals_are_the_sums_of_the_lines_and_the_taxes() -> None:
    for facts in good_facts(WESTERN_LAYOUTS):
        assert facts.net == sum(line.net for line in facts.lines)
        expected_tax = sum(
            (taxable * rate / 100).quantize(Decimal("0.01"), "ROUND_HALF_UP")
            for rate, taxable, _ in facts.tax_by_rate()
        )
        assert facts.tax == expected_tax
        assert facts.total == facts.net + expected_tax
        assert facts.due_date is not None and facts.due_date > facts.issue_date


def test_chinese_lines_carry_their_tax_and_the_words_say_the_total() -> None:
    for facts in good_facts(CHINESE_LAYOUTS):
        assert facts.net == sum(line.net for line in facts.lines)
        assert facts.total == facts.net + (facts.tax or 0)
        for line in facts.lines:
            if line.tax is not None:
                assert line.rate is not None
                assert abs(line.net * line.rate / 100 - line.tax) <= Decimal("0.005")
            if line.quantity is not None:
                assert line.unit_price is not None
                assert abs(line.quantity * line.unit_price - line.net) <= Decimal("0.01")
        assert facts.amount_in_words is not None
        assert parse_capital_amount(facts.amount_in_words) == facts.total


def test_receipts_include_their_tax() -> None:
    for facts in good_facts(RECEIPT_LAYOUTS):
        assert facts.total == facts.net + (facts.tax or 0)
        assert facts.paid_in is None or facts.paid_in >= facts.total


@given(st.integers(min_value=1, max_value=99_999_999_999))
def test_capital_amounts_read_back_as_what_was_written(fen: int) -> None:
    amount = Decimal(fen) / 100
    assert parse_capital_amount(capital_amount(amount)) == amount


def test_identifiers_of_good_invoices_pass_their_checksums() -> None:
    for facts in good_facts(CHINESE_LAYOUTS):
        for party in (facts.seller, facts.buyer):
            assert party is not None and party.tax_id is not None
            assert uscc.is_valid(party.tax_id)
            ours = parse_tax_id(party.tax_id, "CN")
            assert ours is not None and ours.is_valid, ours
        assert (facts.code is None) == (len(facts.number) == 20)
        assert len(facts.number) in (8, 20)
    for facts in good_facts(WESTERN_LAYOUTS):
        country = facts.seller.country
        if country != "US":
            assert iban.is_valid(facts.seller.account)
            assert facts.seller.tax_id is not None
            checker = gb_vat if country == "GB" else eu_vat
            assert checker.is_valid(facts.seller.tax_id)


def test_a_broken_identifier_fails_its_checksum() -> None:
    for facts in good_facts(("cn_digital_special",)):
        assert facts.seller.tax_id is not None
        assert not uscc.is_valid(sample_ids.broken(facts.seller.tax_id))
    for facts in good_facts(("de_din", "fr_letter", "es_boxed")):
        assert facts.seller.tax_id is not None
        assert not eu_vat.is_valid(sample_ids.broken(facts.seller.tax_id))
        assert not iban.is_valid(sample_ids.broken(facts.seller.account))


def test_the_qr_check_sum_is_the_known_one() -> None:
    # Published in unrelated public sources with printed invoices.
    assert sample_ids.crc16_umts("01,32,,24312000000136634917,0.01,20240514,,") == "1DD6"


@pytest.mark.parametrize("seed", [1, 738000])
def test_the_demo_set_keeps_its_promises_with_any_seed(tmp_path: Path, seed: int) -> None:
    samples = demo_set(tmp_path, DELIVERY, seed=seed)
    assert sum(sample.pages for sample in samples if sample.needs_eyes) == 5
    assert assert_truth_is_printed(samples) > 80


def test_everything_the_truth_says_stands_in_the_text_layer(labelled: list[Sample]) -> None:
    assert assert_truth_is_printed(labelled) > 400


def assert_truth_is_printed(samples: list[Sample]) -> int:
    checked = 0
    for sample in samples:
        if (
            not sample.has_text_layer
            or sample.ground_truth is None
            or sample.ground_truth["doc_type"] == "not_an_invoice"
        ):
            continue
        text = text_of(sample.path)
        for key, value in sample.ground_truth.items():
            if key in ("doc_type", "currency", "line_count"):
                continue
            if key.endswith("_date"):
                forms = printed(date.fromisoformat(value))
            elif key.endswith("_amount"):
                forms = printed_amounts(value)
            else:
                forms = {value}
            assert any(squeezed(form) in text for form in forms), f"{sample.file}: {key} {value!r} is not printed"
            checked += 1
    return checked


def test_every_layout_and_every_fault_is_there(labelled: list[Sample]) -> None:
    assert {sample.layout for sample in labelled} >= set(LAYOUTS)
    rules = {rule for sample in labelled for rule in sample.expect["rule_ids"]}
    assert rules >= {
        "BR-CO-10", "BR-CO-15", "ID-VAT-EU", "PAY-IBAN", "DATE-3", "CN-AMT-1", "CN-AMT-2", "CN-TAX-1", "CN-ID-2",
        "CN-WORD-1", "DUP-1", "DUP-2",
    }  # fmt: skip
    states = Counter(sample.expect["state"] for sample in labelled)
    assert set(states) == {"staged", "review", "duplicate", "quarantined"}


def test_the_manifest_lists_every_file_with_its_bytes(labelled: list[Sample]) -> None:
    folder = labelled[0].path.parent
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert {entry["file"] for entry in manifest["files"]} == {sample.file for sample in labelled}
    assert {path.name for path in folder.iterdir()} == {sample.file for sample in labelled} | {"manifest.json"}
    for entry in manifest["files"]:
        raw = (folder / entry["file"]).read_bytes()
        assert (entry["bytes"], entry["sha256"]) == (len(raw), hashlib.sha256(raw).hexdigest())


def test_the_same_seed_gives_the_same_bytes(demo: list[Sample], tmp_path: Path) -> None:
    again = demo_set(tmp_path, DELIVERY)
    for before, after in zip(demo, again, strict=True):
        assert before.path.read_bytes() == after.path.read_bytes(), before.file
    manifests = [samples[0].path.with_name("manifest.json").read_text() for samples in (demo, again)]
    assert manifests[0] == manifests[1]


def test_the_demo_set_is_small_and_shows_every_way_in_and_out(demo: list[Sample]) -> None:
    assert 16 <= len(demo) <= 22
    assert sum(sample.pages for sample in demo if sample.needs_eyes) <= 5
    assert {sample.form for sample in demo} == {"pdf", "scan", "photo"}
    assert {sample.lang for sample in demo} == {"zh", "en", "de", "fr", "es"}
    assert {sample.mail_shape for sample in demo if sample.channel == "mail"} == {
        "attachment", "octet_stream", "inline", "nested", "zip", "gbk",
    }  # fmt: skip
    states = Counter(sample.expect["state"] for sample in demo)
    assert states["staged"] >= 10 and states["review"] >= 4 and states["duplicate"] == 2
    issued = [
        date.fromisoformat(s.ground_truth["issue_date"])
        for s in demo
        if s.ground_truth and "issue_date" in s.ground_truth
    ]
    assert all(0 < (DELIVERY - day).days <= 6 for day in issued)


def test_the_two_duplicates_are_one_of_each_kind(demo: list[Sample]) -> None:
    by_name = {sample.file: sample for sample in demo}
    copies = {rule: s for s in demo for rule in s.expect["rule_ids"] if rule.startswith("DUP")}
    same_bytes, reprint = copies["DUP-1"], copies["DUP-2"]
    assert same_bytes.path.read_bytes() == by_name[same_bytes.expect["of"]].path.read_bytes()
    assert same_bytes.channel != by_name[same_bytes.expect["of"]].channel
    original = by_name[reprint.expect["of"]]
    assert reprint.path.read_bytes() != original.path.read_bytes()
    assert reprint.ground_truth == original.ground_truth


def test_the_locked_file_opens_with_its_password_only(demo: list[Sample]) -> None:
    locked = next(sample for sample in demo if sample.expect.get("reason_code") == "ENCRYPTED")
    with pytest.raises(pypdfium2.PdfiumError):
        pypdfium2.PdfDocument(locked.path)
    assert len(pypdfium2.PdfDocument(locked.path, password=PASSWORD)) == 1


def test_worn_samples_have_no_text_layer_and_photos_lie_on_their_side(demo: list[Sample]) -> None:
    worn = [sample for sample in demo if sample.form != "pdf"]
    assert {sample.path.suffix for sample in worn} == {".pdf", ".tif", ".jpg"}
    for sample in worn:
        if sample.path.suffix == ".pdf":
            assert text_of(sample.path) == ""
        else:
            with Image.open(sample.path) as picture:
                assert getattr(picture, "n_frames", 1) == sample.pages
                if sample.form == "photo":
                    assert picture.getexif()[0x0112] == 6


def test_the_font_has_every_chinese_character_the_generator_knows() -> None:
    folder = REPOSITORY / "demo"
    font = TTFont("check", str(folder / "fonts" / "DroidSansFallbackSubset.ttf"))
    used = {c for source in (folder / "samples").glob("*.py") for c in source.read_text("utf-8") if ord(c) >= 0x2E80}
    assert len(used) > 300
    assert not {c for c in used if ord(c) not in font.face.charToGlyph}

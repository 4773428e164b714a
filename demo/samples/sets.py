"""Sets of samples: a broad labelled one for measuring, a small one that a demo can read in a minute."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

from demo.samples import papers, recipes
from demo.samples.faults import (
    CHINESE_FAULTS,
    CN_BAD_TAX_ID,
    CN_WORDS_DIFFER,
    CN_WRONG_TOTAL,
    WESTERN_FAULTS,
    WRONG_TOTAL,
    Fault,
)
from demo.samples.recipes import CHINESE_LAYOUTS, FORMS, LAYOUTS, Recipe, Sample

PASSWORD = "not-for-the-pipeline"
_PAPER_ONLY = "cn_vat_special"


def generate(
    folder: Path,
    *,
    seed: int = 7,
    issued_before: date,
    per_layout: int = 1,
    forms: Sequence[str] = FORMS,
    with_faults: bool = True,
) -> list[Sample]:
    """Writes ``per_layout`` samples of every layout, every planted fault and ``manifest.json`` into ``folder``.

    ``forms`` (of ``pdf``, ``scan``, ``photo``) are taken in turn. About one western invoice in six runs over two
    pages; every second Chinese one has a discount row or is tax free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = []
    for position, layout in enumerate(LAYOUTS):
        for copy in range(per_layout):
            form = forms[(position + copy) % len(forms)]
            if layout == _PAPER_ONLY and form == "pdf" and len(forms) > 1:
                form = next(other for other in forms if other != "pdf")
            recipe = Recipe(f"{layout}_{copy + 1:03d}", layout, form, **_variation(layout, form, seed, copy))  # type: ignore[arg-type]
            samples.append(recipes.make(folder, recipe, seed, issued_before))
    if with_faults:
        samples += _faulty(folder, seed, issued_before)
        samples += _repeated(folder, seed, issued_before)
        samples += [
            _locked(folder, seed, issued_before),
            _empty(folder),
            _delivery_note(folder, seed, issued_before),
            _terms(folder),
        ]
    write_manifest(folder, samples)
    return samples


def _variation(layout: str, form: str, seed: int, copy: int) -> dict[str, object]:
    rng = Random(f"{seed}/{layout}/{copy}/variation")
    channel = rng.choice(("mail", "sftp"))
    if layout in CHINESE_LAYOUTS:
        is_tax_free = layout.endswith("general") and rng.random() < 0.2
        return {"channel": channel, "options": {"is_tax_free": is_tax_free, "has_discount": rng.random() < 0.35}}
    is_long = not layout.startswith("receipt") and form != "photo" and rng.random() < 0.17
    return {"channel": channel, "line_count": rng.randint(28, 40) if is_long else None}


def _faulty(folder: Path, seed: int, issued_before: date) -> list[Sample]:
    rng = Random(f"{seed}/faults")
    pairs: list[tuple[Fault, str]] = [
        (fault, rng.choice(("de_din", "fr_letter", "es_boxed", "de_letter"))) for fault in WESTERN_FAULTS
    ]
    pairs += [(fault, rng.choice(("cn_digital_special", "cn_vat_general"))) for fault in CHINESE_FAULTS]
    return [
        recipes.make(folder, Recipe(f"fault_{fault.name}", layout, fault=fault, line_count=3), seed, issued_before)
        for fault, layout in pairs
    ]


def _repeated(folder: Path, seed: int, issued_before: date) -> list[Sample]:
    original = Recipe("repeated_original", "gb_boxed", facts_seed="repeated")
    first = recipes.make(folder, original, seed, issued_before)
    return [
        first,
        _same_bytes(folder, first, f"{original.name}_again"),
        _reprinted(folder, original, "gb_letter", seed, issued_before),
    ]


def _same_bytes(folder: Path, first: Sample, name: str) -> Sample:
    """The very file again, by the other way in."""
    path = folder / f"{name}{first.path.suffix}"
    path.write_bytes(first.path.read_bytes())
    return replace(
        first,
        path=path,
        channel="sftp" if first.channel == "mail" else "mail",
        expect={"state": "duplicate", "rule_ids": ["DUP-1"], "of": first.file},
        fault="same_bytes",
    )


def _reprinted(folder: Path, original: Recipe, layout: str, seed: int, issued_before: date) -> Sample:
    """The same invoice printed in another layout: other bytes, the same number, date and total."""
    recipe = replace(
        original,
        name=f"{original.name}_reprinted",
        layout=layout,
        facts_seed=original.facts_seed or original.name,
        mail_shape="attachment",
        expect={"state": "duplicate", "rule_ids": ["DUP-2"], "of": f"{original.name}.pdf"},
    )
    return replace(recipes.make(folder, recipe, seed, issued_before), fault="same_invoice")


def _locked(folder: Path, seed: int, issued_before: date) -> Sample:
    recipe = Recipe("locked_invoice", "us_letter")
    raw = recipes.draw(recipe, recipes.facts_of(recipe, seed, issued_before), seed, password=PASSWORD)
    return _odd(folder, "locked_invoice.pdf", raw, "en", "mail", "ENCRYPTED", pages=1)


def _empty(folder: Path) -> Sample:
    return _odd(folder, "empty_invoice.pdf", b"", "en", "sftp", "EMPTY", pages=0)


def _delivery_note(folder: Path, seed: int, issued_before: date) -> Sample:
    raw = papers.delivery_note(Random(f"{seed}/delivery note"), issued_before)
    return _odd(folder, "delivery_note.pdf", raw, "de", "sftp", "NOT_AN_INVOICE", pages=1)


def _terms(folder: Path) -> Sample:
    raw = papers.terms_and_conditions()
    return _odd(folder, "terms_and_conditions.pdf", raw, "en", "mail", "NOT_AN_INVOICE", pages=1)


def _odd(folder: Path, name: str, raw: bytes, lang: str, channel: str, reason_code: str, *, pages: int) -> Sample:
    path = folder / name
    path.write_bytes(raw)
    is_paper = reason_code == "NOT_AN_INVOICE"
    return Sample(
        path=path,
        kind="not_invoice_pdf" if is_paper else "hostile",
        lang=lang,
        layout=path.stem,
        form="pdf",
        pages=pages,
        has_text_layer=pages > 0,
        ground_truth={"doc_type": "not_an_invoice"} if is_paper else None,
        expect={"state": "quarantined", "rule_ids": [], "reason_code": reason_code},
        channel=channel,
        fault=reason_code.lower(),
    )


def demo_set(folder: Path, delivery_date: date, *, seed: int = 2026) -> list[Sample]:
    """The demo's documents: eleven good ones and nine with one planted fault each; five pages need OCR."""
    folder.mkdir(parents=True, exist_ok=True)
    mail, sftp = "mail", "sftp"
    cable = Recipe("cn_digital_special_cable", "cn_digital_special", channel=mail, line_count=3)
    supply = Recipe("us_supply_invoice", "us_letter", channel=mail, mail_shape="octet_stream")
    wanted = [
        cable,
        Recipe("cn_digital_general_discount", "cn_digital_general", channel=sftp, options={"has_discount": True}),
        Recipe("电子发票_办公", "cn_vat_general", channel=mail, mail_shape="gbk"),
        Recipe("cn_vat_special_scan", "cn_vat_special", "scan", channel=sftp, container="jpeg", line_count=2),
        supply,
        Recipe("gb_works_scan", "gb_boxed", "scan", channel=sftp, container="pdf", line_count=4),
        Recipe("de_rechnung", "de_din", channel=mail, mail_shape="inline"),
        Recipe("de_long_scan", "de_letter", "scan", channel=sftp, container="tiff", line_count=30),
        Recipe("fr_facture", "fr_letter", channel=mail, mail_shape="zip"),
        Recipe("es_factura", "es_boxed", channel=mail, mail_shape="zip"),
        Recipe("gb_receipt_photo", "receipt_gb", "photo", channel=mail, mail_shape="nested", container="sideways"),
        Recipe("cn_total_does_not_add_up", "cn_digital_special", channel=mail, fault=CN_WRONG_TOTAL, line_count=2),
        Recipe("cn_bad_tax_id", "cn_digital_general", channel=sftp, fault=CN_BAD_TAX_ID, line_count=2),
        Recipe("cn_words_differ", "cn_vat_general", channel=mail, fault=CN_WORDS_DIFFER, line_count=2),
        Recipe("de_total_does_not_add_up", "de_boxed", channel=sftp, fault=WRONG_TOTAL, line_count=4),
    ]
    samples = [recipes.make(folder, recipe, seed, delivery_date) for recipe in wanted]
    by_name = {sample.path.stem: sample for sample in samples}
    samples += [
        _same_bytes(folder, by_name[cable.name], f"{cable.name}_again"),
        _reprinted(folder, supply, "us_din", seed, delivery_date),
        _locked(folder, seed, delivery_date),
        _empty(folder),
        _delivery_note(folder, seed, delivery_date),
    ]
    write_manifest(folder, samples)
    return samples


def write_manifest(folder: Path, samples: Sequence[Sample]) -> Path:
    """``folder/manifest.json``: what `hunyuan-ocr eval` takes."""
    manifest = {
        "set": "generated",
        "version": 1,
        "canonical_form": "amounts are decimal strings with a point; dates ISO 8601; absent key = not on the document",
        "files": [sample.manifest_entry(folder) for sample in samples],
    }
    path = folder / "manifest.json"
    path.write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path

"""One sample from a recipe: which facts, which layout, which form, what is wrong with it, how it is sent.

A recipe and a seed give the same bytes every time, whatever else is generated beside it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from demo.samples import chinese, chinese_layouts, degrade, receipts, western
from demo.samples.facts import DocType, InvoiceFacts
from demo.samples.faults import Fault

FORMS = ("pdf", "scan", "photo")
_CHINESE = {
    "cn_digital_special": DocType.CN_DIGITAL_SPECIAL,
    "cn_digital_general": DocType.CN_DIGITAL_GENERAL,
    "cn_vat_general": DocType.CN_VAT_GENERAL,
    "cn_vat_special": DocType.CN_VAT_SPECIAL,
}
WESTERN_LAYOUTS = tuple(
    f"{country}_{layout}" for country in ("us", "gb", "de", "fr", "es") for layout in ("letter", "boxed", "din")
)
CHINESE_LAYOUTS = tuple(_CHINESE)
RECEIPT_LAYOUTS = ("receipt_gb", "receipt_us", "receipt_de", "receipt_cn")
LAYOUTS = (*WESTERN_LAYOUTS, *CHINESE_LAYOUTS, *RECEIPT_LAYOUTS)


@dataclass(frozen=True)
class Recipe:
    """What to make.

    ``facts_seed`` separates what is said from how it looks, to print one invoice twice. ``container`` settles what
    else the seed would: ``pdf``, ``tiff`` or ``jpeg`` for a scan, ``sideways`` for a photo.
    """

    name: str
    layout: str
    form: str = "pdf"
    fault: Fault | None = None
    channel: str = "mail"
    mail_shape: str = "attachment"
    facts_seed: str = ""
    line_count: int | None = None
    options: dict[str, bool] = field(default_factory=dict)
    container: str = ""
    expect: dict[str, Any] | None = None


@dataclass(frozen=True)
class Sample:
    """One file with what is true of it and what must become of it.

    ``expect`` is ``{"state": staged|review|duplicate|quarantined|ignored, "rule_ids": [...]}``, and ``reason_code``
    for what cannot be read. ``ground_truth`` is ``None`` when nothing can be read. ``channel`` is ``mail`` or ``sftp``;
    ``mail_shape`` says how a mail carries it (``demo.mails.SHAPES``).
    """

    path: Path
    kind: str
    lang: str
    layout: str
    form: str
    pages: int
    has_text_layer: bool
    ground_truth: dict[str, Any] | None
    expect: dict[str, Any]
    channel: str
    mail_shape: str = "attachment"
    fault: str | None = None

    @property
    def file(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def needs_eyes(self) -> bool:
        """True when a page must be looked at because it has no text to take."""
        return self.pages > 0 and not self.has_text_layer

    def manifest_entry(self, folder: Path) -> dict[str, Any]:
        """The sample in the format of the evaluation manifest; ``expect``, ``channel`` and ``fault`` are ours."""
        raw = self.path.read_bytes()
        entry: dict[str, Any] = {
            "file": self.path.relative_to(folder).as_posix(),
            "kind": self.kind,
            "bytes": len(raw),
            "sha256": hashlib.sha256(raw).hexdigest(),
            "licence": "Apache-2.0",
            "redistribution": "ok",
            "pages": self.pages,
            "text_layer": self.has_text_layer,
            "ground_truth": self.ground_truth,
            "gt_source": "generator",
            "lang": self.lang,
            "layout": self.layout,
            "form": self.form,
            "channel": self.channel,
            "mail_shape": self.mail_shape if self.channel == "mail" else None,
            "fault": self.fault,
            "expect": self.expect,
        }
        return {key: value for key, value in entry.items() if value is not None}


def facts_of(recipe: Recipe, seed: int, issued_before: date) -> InvoiceFacts:
    """The facts of ``recipe``, fault included. Issue dates lie one to six days before ``issued_before``."""
    rng = Random(f"{seed}/{recipe.facts_seed or recipe.name}/facts")
    issued = issued_before - timedelta(days=rng.randint(1, 6))
    family, _, rest = recipe.layout.partition("_")
    if recipe.layout in _CHINESE:
        facts = chinese.invoice(rng, issued, _CHINESE[recipe.layout], line_count=recipe.line_count, **recipe.options)
    elif family == "receipt":
        facts = receipts.receipt(rng, rest.upper(), issued)
    else:
        facts = western.invoice(rng, family.upper(), issued, line_count=recipe.line_count)
    return recipe.fault.plant(facts) if recipe.fault else facts


def draw(recipe: Recipe, facts: InvoiceFacts, seed: int, *, password: str | None = None) -> bytes:
    """``facts`` as the born-digital PDF of the recipe's layout."""
    rng = Random(f"{seed}/{recipe.name}/look")
    family, _, rest = recipe.layout.partition("_")
    if recipe.layout in _CHINESE:
        return chinese_layouts.draw(rng, facts, password=password)
    if family == "receipt":
        return receipts.draw(rng, facts, password=password)
    return western.draw(rng, facts, rest, password=password)


def make(folder: Path, recipe: Recipe, seed: int, issued_before: date) -> Sample:
    """Writes the sample of ``recipe`` into ``folder``."""
    facts = facts_of(recipe, seed, issued_before)
    pdf = draw(recipe, facts, seed)
    raw, suffix, pages = pdf, ".pdf", len(degrade.page_images(pdf, 20))
    if recipe.form != "pdf":
        raw, suffix = _worn(recipe, pdf, seed)
    path = folder / f"{recipe.name}{suffix}"
    path.write_bytes(raw)
    return Sample(
        path=path,
        kind=_kind(recipe, suffix),
        lang=facts.lang,
        layout=recipe.layout,
        form=recipe.form,
        pages=pages,
        has_text_layer=recipe.form == "pdf",
        ground_truth=facts.ground_truth(),
        expect=recipe.expect or _expectation(recipe),
        channel=recipe.channel,
        mail_shape=recipe.mail_shape,
        fault=recipe.fault.name if recipe.fault else None,
    )


def _expectation(recipe: Recipe) -> dict[str, Any]:
    if recipe.fault:
        return {"state": recipe.fault.state, "rule_ids": list(recipe.fault.rule_ids)}
    return {"state": "staged", "rule_ids": []}


def _worn(recipe: Recipe, pdf: bytes, seed: int) -> tuple[bytes, str]:
    rng = Random(f"{seed}/{recipe.name}/wear")
    if recipe.form == "photo":
        page = degrade.page_images(pdf, 170)[0]
        picture = degrade.photographed(rng, page)
        is_sideways = recipe.container == "sideways" or rng.random() < 0.5
        return degrade.jpeg(picture, quality=rng.randint(68, 88), orientation=6 if is_sideways else 1), ".jpg"
    dpi = (
        rng.choice((170, 200))
        if recipe.layout.startswith("cn") or "receipt" in recipe.layout
        else rng.choice((150, 170))
    )
    pages = [degrade.scanned(rng, page) for page in degrade.page_images(pdf, dpi)]
    quality = rng.randint(58, 85)
    container = recipe.container or rng.choice(("pdf", "pdf", "tiff", "jpeg"))
    if container == "jpeg" and len(pages) == 1:
        return degrade.jpeg(pages[0], dpi=dpi, quality=quality), ".jpg"
    if container == "tiff":
        return degrade.tiff(pages, dpi=dpi), ".tif"
    return degrade.image_pdf(pages, dpi=dpi, quality=quality), ".pdf"


def _kind(recipe: Recipe, suffix: str) -> str:
    if recipe.layout.startswith("receipt"):
        return {"pdf": "receipt_pdf", "scan": "receipt_scan", "photo": "receipt_photo"}[recipe.form]
    if recipe.layout in _CHINESE:
        return "cn_vat_pdf" if recipe.form == "pdf" else "cn_vat_image"
    if recipe.form == "pdf":
        return "invoice_pdf"
    return "invoice_pdf_image" if suffix == ".pdf" else "invoice_image"

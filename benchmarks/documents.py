"""The pages that are drawn: sample invoices as printed, and the same as scans, in PDFs of several pages."""

from __future__ import annotations

import hashlib
import io
from datetime import date
from pathlib import Path
from random import Random

from demo.samples import degrade, recipes
from demo.samples.recipes import Recipe
from hunyuan_ocr.readers.rendering import DocumentFile

_SEED = 11
_ISSUED_BEFORE = date(2026, 11, 20)
_RECIPES = (
    Recipe("printed_de", "de_din", "pdf"),
    Recipe("printed_gb", "gb_boxed", "pdf"),
    Recipe("printed_cn", "cn_digital_special", "pdf"),
    Recipe("printed_fr", "fr_letter", "pdf"),
)


def printed_pages() -> list[bytes]:
    """Invoices of four countries as one-page PDFs with a text layer."""
    return [recipes.draw(one, recipes.facts_of(one, _SEED, _ISSUED_BEFORE), _SEED) for one in _RECIPES]


def scanned_pages(dpi: int = 200) -> list[bytes]:
    """The same invoices as PDFs that hold nothing but a scan with a scanner's noise."""
    rng = Random(_SEED)
    return [
        degrade.image_pdf([degrade.scanned(rng, degrade.page_images(page, dpi)[0])], dpi=dpi)
        for page in printed_pages()
    ]


def joined(pages: list[bytes]) -> bytes:
    """One PDF of all pages."""
    import pikepdf

    target = pikepdf.new()
    for page in pages:
        with pikepdf.open(io.BytesIO(page)) as source:
            target.pages.extend(source.pages)
    written = io.BytesIO()
    target.save(written)
    return written.getvalue()


def small_page() -> bytes:
    """A page that takes next to no time to draw, for benchmarks of everything else."""
    from reportlab.pdfgen.canvas import Canvas

    written = io.BytesIO()
    canvas = Canvas(written, pagesize=(100, 60))
    canvas.drawString(10, 30, "Total 9.00")
    canvas.save()
    return written.getvalue()


def two_page_invoice(number: int) -> bytes:
    """A printed and a scanned page in a file of its own: ``number`` makes its bytes differ from the others'."""
    if not _two_pages:
        printed, scanned = printed_pages(), scanned_pages()
        _two_pages.extend(joined([one, other]) for one, other in zip(printed, scanned, strict=True))
    return _two_pages[number % len(_two_pages)] + b"\n%% %d\n" % number


_two_pages: list[bytes] = []


def stored(folder: Path, content: bytes) -> DocumentFile:
    """The document on disk, under its hash."""
    sha256 = hashlib.sha256(content).hexdigest()
    path = folder / sha256
    path.write_bytes(content)
    return DocumentFile(path, "application/pdf", sha256, f"{sha256[:8]}.pdf")

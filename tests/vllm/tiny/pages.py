"""The pages the tiny checkpoint knows: four sample invoices as scans, and what must come of each in the staging tables.

The samples' generator prints them; the text layer of the print says where every word stands, and the scan shows the
same without any text layer. What is drawn, what is taught and what is expected therefore never part.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.samples import degrade, recipes
from demo.samples.facts import InvoiceFacts
from demo.samples.recipes import Recipe
from hunyuan_ocr.extraction.prompts import PromptProfile, load_profiles
from hunyuan_ocr.model.geometry import Reading
from hunyuan_ocr.readers.pdf_text import text_layer

if TYPE_CHECKING:
    from PIL import Image

SEED = 2026
#: The samples are issued within the six days before it; fixed, or the checkpoint would have to be taught every day.
DELIVERED_ON = date(2026, 11, 20)
SCAN_DPI = 150
SCAN_QUALITY = 85
_PROMPTS = Path(__file__).parents[3] / "prompts"

# Four ways of laying an invoice out, four countries, two shapes of paper.
_RECIPES = (
    Recipe("rechnung_scan", "de_din", "scan", line_count=2, container="pdf"),
    Recipe("works_invoice_scan", "gb_boxed", "scan", line_count=1, container="jpeg"),
    Recipe("facture_scan", "fr_letter", "scan", line_count=1, container="pdf"),
    Recipe("fapiao_scan", "cn_digital_special", "scan", line_count=1, container="jpeg"),
)


@dataclass(frozen=True)
class KnownInvoice:
    """An invoice the checkpoint knows by heart. ``reading`` is what stands on it and where, in page units."""

    recipe: Recipe
    facts: InvoiceFacts
    print_pdf: bytes
    reading: Reading

    @property
    def name(self) -> str:
        return self.recipe.name

    def picture(self, dpi: int = SCAN_DPI) -> Image.Image:
        """The page as a scanner sees it: RGB, upright, no text layer."""
        return degrade.page_images(self.print_pdf, dpi)[0]

    def scan(self, number: int = 1) -> tuple[str, bytes]:
        """The file a supplier sends: its name and its bytes, a JPEG or a PDF that holds nothing but one.

        The page scanned again (``number`` 2 to 20) is another file with other pixels.
        """
        name = self.name if number == 1 else f"{self.name}_{number}"
        quality = SCAN_QUALITY + 1 - number
        if self.recipe.container == "jpeg":
            return f"{name}.jpg", degrade.jpeg(self.picture(), quality=quality, dpi=SCAN_DPI)
        return f"{name}.pdf", degrade.image_pdf([self.picture()], quality=quality, dpi=SCAN_DPI)

    def expected_staging(self) -> dict[str, Any]:
        """What the staging tables must say, in the words of the evaluation manifest."""
        return self.facts.ground_truth()


@cache
def known_invoices() -> tuple[KnownInvoice, ...]:
    return tuple(_invoice(recipe) for recipe in _RECIPES)


@cache
def profiles() -> tuple[PromptProfile, ...]:
    """The prompt profiles of the repository."""
    return load_profiles(_PROMPTS)


def deliver(folder: Path, *, times: int = 1) -> None:
    """Put the scans of all known invoices into ``folder``, as a supplier would who scans each ``times`` times."""
    folder.mkdir(parents=True, exist_ok=True)
    for invoice in known_invoices():
        for number in range(1, times + 1):
            name, raw = invoice.scan(number)
            (folder / name).write_bytes(raw)


def blank_page() -> Image.Image:
    """A sheet nobody printed on."""
    from PIL import Image

    return Image.new("RGB", (1240, 1754), "white")


def _invoice(recipe: Recipe) -> KnownInvoice:
    facts = recipes.facts_of(recipe, SEED, DELIVERED_ON)
    pdf = recipes.draw(recipe, facts, SEED)
    (page,) = text_layer(pdf)
    assert page.reading is not None
    return KnownInvoice(recipe, facts, pdf, page.reading)

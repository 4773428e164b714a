"""Papers that come with invoices and are none: terms and conditions, a delivery note. They must not be booked."""

from __future__ import annotations

from datetime import date
from random import Random

from demo.samples import ids
from demo.samples.sheet import A4, Sheet

_TERMS = (
    "1. Scope. These terms apply to all deliveries of Ravensmoor Print Works Ltd unless agreed otherwise in writing.",
    "2. Offers. Offers are not binding. An order is accepted when it is confirmed or the goods are dispatched.",
    "3. Prices. Prices are net of value added tax and of carriage. They may change with the cost of paper and ink.",
    "4. Delivery. Dates of delivery are estimates. Part deliveries are allowed and may be charged separately.",
    "5. Payment. Accounts are due thirty days after the date of the account. Interest accrues on late payment.",
    "6. Title. Goods remain the property of the seller until they are paid for in full.",
    "7. Defects. Visible defects must be reported within seven days, hidden ones as soon as they are found.",
    "8. Liability. The seller is liable for intent and gross negligence only, save for injury to persons.",
    "9. Law. The law of England and Wales applies. Place of jurisdiction is Leeds.",
)


def terms_and_conditions() -> bytes:
    """Two columns of small print without a number, a date or an amount."""
    sheet = Sheet(A4, family="serif", title="Terms and Conditions")
    sheet.text(48, 60, "Terms and Conditions of Sale", 16, bold=True)
    y = 92.0
    for paragraph in _TERMS:
        for row in sheet.wrap(paragraph, 10, sheet.width - 96):
            sheet.text(48, y, row, 10)
            y += 14
        y += 8
    return sheet.pdf()


def delivery_note(rng: Random, issued: date) -> bytes:
    """A German Lieferschein: numbers, dates, articles and quantities, but no price."""
    sheet = Sheet(A4, title="Lieferschein")
    sheet.text(70, 60, "Kranzfelder Werkzeughandel GmbH", 15, bold=True)
    sheet.text(70, 76, "Gerberstraße 112 · 99084 Erfurt", 9)
    for i, row in enumerate(("Nordtor Beispielgeräte GmbH", "Wareneingang", "Speicherstraße 21", "20457 Hamburg")):
        sheet.text(70, 130 + 13 * i, row, 10)
    sheet.text(70, 230, "Lieferschein", 16, bold=True)
    rows = (
        ("Lieferschein-Nr.", f"LS-{ids.digits(rng, 6)}"),
        ("Lieferdatum", f"{issued:%d.%m.%Y}"),
        ("Ihre Bestellung", f"45{ids.digits(rng, 6)}"),
    )
    for i, (label, value) in enumerate(rows):
        sheet.text(70, 254 + 14 * i, label, 9.5)
        sheet.text(170, 254 + 14 * i, value, 9.5)
    y = 320.0
    for x, head in ((70, "Pos."), (100, "Artikel"), (420, "Menge"), (470, "Einheit")):
        sheet.text(x, y, head, 9, bold=True)
    sheet.line(70, y + 5, 525, y + 5)
    for position, name in enumerate(("Schmierfett, Kartusche 400 g", "Kabelkanal 40 x 60 mm", "Rollcontainer"), 1):
        y += 18
        sheet.text(70, y, str(position), 9)
        sheet.text(100, y, name, 9)
        sheet.text(445, y, str(rng.randint(1, 40)), 9, align="right")
        sheet.text(470, y, "Stk", 9)
    sheet.text(70, y + 50, "Ware vollständig erhalten: ______________________", 9)
    sheet.text(70, y + 80, "Die Rechnung erhalten Sie mit getrennter Post.", 9)
    return sheet.pdf()

"""Facts for invoices of five western countries, and the three ways of printing them.

``letter`` prints labels left of their values, ``boxed`` labels above their values in a ruled strip, ``din`` a letter
with the number in the subject line and an information block on the right. Any country uses any of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from demo.samples import ids
from demo.samples.facts import DocType, InvoiceFacts, LineFacts, PartyFacts, cents
from demo.samples.locales import LOCALES, Locale
from demo.samples.sheet import A4, LETTER, MM, Sheet

BUYERS = {
    "US": ("Northgate Example Instruments, Inc.", ("77 Harbor Point Drive", "Portland, ME 04101")),
    "GB": ("Northgate Example Instruments Ltd", ("9 Cooper Row", "Manchester M3 4LZ")),
    "DE": ("Nordtor Beispielgeräte GmbH", ("Speicherstraße 21", "20457 Hamburg")),
    "FR": ("Portenord Instruments Exemple SAS", ("31 rue du Port", "44000 Nantes")),
    "ES": ("Puertanorte Instrumentos Ejemplo S.L.", ("Calle del Faro 12", "48001 Bilbao")),
}


def buyer_of(country: str) -> PartyFacts:
    """Our own company in ``country``: the same party, with the same tax id, on every sample."""
    name, address = BUYERS[country]
    rng = Random(f"buyer {country}")
    tax_id = None if country == "US" else ids.vat_id(rng, country)
    return PartyFacts(name=name, tax_id=tax_id, address=address, country=country)


def invoice(rng: Random, country: str, issued: date, *, line_count: int | None = None) -> InvoiceFacts:
    """An invoice of an invented seller in ``country`` with correct sums, issued on ``issued``."""
    locale = LOCALES[country]
    seller = _seller(rng, locale)
    rate_of_document = Decimal(rng.choice(locale.rates))
    mixed = country in ("DE", "FR", "ES") and rng.random() < 0.4
    lines = []
    for name, unit, price in _goods(rng, locale, line_count or rng.randint(2, 6)):
        unit_price = Decimal(price.replace(",", "."))
        quantity = Decimal(rng.randint(1, 24) if unit else 1)
        rate = Decimal(rng.choice(locale.rates)) if mixed else rate_of_document
        net = cents(unit_price * quantity)
        lines.append(LineFacts(name, net, quantity, unit_price, unit, rate=rate))
    facts = InvoiceFacts(
        doc_type=DocType.INVOICE,
        lang=locale.lang,
        currency=locale.currency,
        number=rng.choice(locale.prefixes).format(year=issued.year) + ids.digits(rng, rng.choice((5, 6, 7))),
        issue_date=issued,
        due_date=issued + timedelta(days=rng.choice((14, 30, 30))),
        order_ref=rng.choice(("PO-", "45", "")) + ids.digits(rng, 6) if rng.random() < 0.6 else None,
        seller=seller,
        buyer=buyer_of(country),
        lines=tuple(lines),
        net=Decimal(0),
        tax=Decimal(0),
        total=Decimal(0),
    )
    # Tax is charged once per rate on the sum of its lines, as EN 16931 (BT-117) and most software do.
    net = sum((line.net for line in lines), Decimal(0))
    tax = sum((cents(taxable * rate / 100) for rate, taxable, _ in facts.tax_by_rate()), Decimal(0))
    return replace(facts, net=net, tax=tax, total=net + tax)


def _goods(rng: Random, locale: Locale, count: int) -> list[tuple[str, str, str]]:
    goods = list(locale.goods)
    while len(goods) < count:
        goods += locale.goods
    return rng.sample(goods, count)


def _seller(rng: Random, locale: Locale) -> PartyFacts:
    name = f"{rng.choice(locale.surnames)} {rng.choice(locale.trades)} {rng.choice(locale.legal_forms)}"
    if locale.country == "US":
        tax_id = ids.ein(rng) if rng.random() < 0.5 else None
        account = ids.digits(rng, 10)
    else:
        tax_id = ids.vat_id(rng, locale.country)
        account = ids.iban_of(rng, locale.country)
    bank, bic = rng.choice(locale.banks)
    host = "".join(c for c in name.split()[0].lower() if c.isascii() and c.isalpha())
    return PartyFacts(
        name=name,
        tax_id=tax_id,
        address=(rng.choice(locale.streets), rng.choice(locale.towns)),
        country=locale.country,
        phone=f"{ids.digits(rng, 3)} {ids.digits(rng, 3)} {ids.digits(rng, 4)}",
        email=f"accounts@{host}.example",
        bank_name=bank,
        account=account,
        bic=bic,
    )


@dataclass(frozen=True)
class _Style:
    """The seed's choices for one document: which of the printed forms it uses."""

    locale: Locale
    words: dict[str, str]
    colon: str
    accent: str
    money_form: int
    date_form: int
    has_due_amount: bool
    has_ruled_table: bool

    def money(self, amount: Decimal) -> str:
        return self.locale.money_forms[self.money_form](amount)

    def number(self, amount: Decimal) -> str:
        return self.locale.number_form(amount)

    def day(self, day: date) -> str:
        return self.locale.date_forms[self.date_form](day)

    def label(self, word: str) -> str:
        return self.words[word] + self.colon

    def rate(self, rate: Decimal) -> str:
        text = f"{rate.normalize():f}"
        return (text if self.locale.lang == "en" else text.replace(".", ",")) + (
            "%" if self.locale.lang == "en" else " %"
        )


def _style(rng: Random, facts: InvoiceFacts) -> _Style:
    locale = LOCALES[facts.seller.country]
    date_form = rng.randrange(len(locale.date_forms))
    days = [facts.issue_date.day] + ([facts.due_date.day] if facts.due_date else [])
    # Day and month must be told apart somewhere on the page, or a careful reader is right to refuse the document.
    if locale.lang == "en" and date_form == 0 and max(days) <= 12:
        date_form = 1
    return _Style(
        locale=locale,
        words={word: rng.choice(forms) for word, forms in locale.labels.items()},
        colon=rng.choice((":", ":", "")),
        accent=rng.choice(("#1f3a5f", "#7a1f2b", "#20603d", "#333333", "#c05a00")),
        money_form=rng.randrange(len(locale.money_forms)),
        date_form=date_form,
        has_due_amount=rng.random() < 0.4,
        has_ruled_table=rng.random() < 0.5,
    )


def draw(rng: Random, facts: InvoiceFacts, layout: str, *, password: str | None = None) -> bytes:
    """The invoice as a PDF in ``layout``: ``letter``, ``boxed`` or ``din``."""
    style = _style(rng, facts)
    sheet = Sheet(
        LETTER if facts.seller.country == "US" else A4,
        family=rng.choice(("sans", "sans", "serif", "vera")),
        title=f"{style.words['title']} {facts.number}",
        producer=facts.seller.name,
        password=password,
    )
    top = {"letter": _letter_head, "boxed": _boxed_head, "din": _din_head}[layout](sheet, facts, style)
    left, right = _margins(sheet, layout)
    y = _item_table(sheet, facts, style, left, right, top, ruled=style.has_ruled_table or layout == "boxed")
    y = _totals(sheet, facts, style, right, y + 16, boxed=layout == "boxed")
    _foot(sheet, facts, style, left, right, y + 26, in_columns=layout == "din")
    return sheet.pdf()


def _margins(sheet: Sheet, layout: str) -> tuple[float, float]:
    if layout == "din":
        return 25 * MM, sheet.width - 20 * MM
    edge = 48.0 if layout == "letter" else 42.0
    return edge, sheet.width - edge


def _meta(facts: InvoiceFacts, style: _Style) -> list[tuple[str, str]]:
    rows = [("number", facts.number), ("date", style.day(facts.issue_date))]
    if facts.due_date:
        rows.append(("due", style.day(facts.due_date)))
    if facts.order_ref:
        rows.append(("order", facts.order_ref))
    return rows


def _letter_head(sheet: Sheet, facts: InvoiceFacts, style: _Style) -> float:
    left, right = _margins(sheet, "letter")
    sheet.box(left, 40, left + 26, 66, color=None, fill=style.accent)
    sheet.text(left + 34, 60, facts.seller.name, 14, bold=True, color=style.accent)
    y = 82.0
    for row in (*facts.seller.address, f"Tel. {facts.seller.phone}", facts.seller.email):
        sheet.text(left, y, row, 9)
        y += 12
    if facts.seller.tax_id:
        sheet.text(left, y, f"{style.label('tax_id')} {facts.seller.tax_id}", 9)
    sheet.text(right, 60, style.words["title"], 20, bold=True, align="right", color="#555555")
    y = 96.0
    meta = [(style.label(word), value) for word, value in _meta(facts, style)]
    needed = max(sheet.width_of(label, 9.5, bold=True) + sheet.width_of(value, 9.5) + 8 for label, value in meta)
    for label, value in meta:
        sheet.text(right - max(190.0, needed), y, label, 9.5, bold=True)
        sheet.text(right, y, value, 9.5, align="right")
        y += 15
    y = 186.0
    _buyer_block(sheet, facts, style, left, y)
    return 266.0


def _buyer_block(sheet: Sheet, facts: InvoiceFacts, style: _Style, x: float, y: float) -> None:
    buyer = facts.buyer
    if buyer is None:
        return
    sheet.text(x, y, style.label("bill_to"), 9, bold=True, color=style.accent)
    rows = [buyer.name, *buyer.address]
    if buyer.tax_id:
        rows.append(f"{style.label('tax_id')} {buyer.tax_id}")
    for row in rows:
        y += 13
        sheet.text(x, y, row, 9.5)


def _boxed_head(sheet: Sheet, facts: InvoiceFacts, style: _Style) -> float:
    left, right = _margins(sheet, "boxed")
    sheet.text(sheet.width / 2, 56, facts.seller.name, 16, bold=True, align="center")
    contact = " | ".join((*facts.seller.address, facts.seller.email))
    sheet.text(sheet.width / 2, 72, contact, 8.5, align="center")
    if facts.seller.tax_id:
        sheet.text(sheet.width / 2, 85, f"{style.label('tax_id')} {facts.seller.tax_id}", 8.5, align="center")
    sheet.box(left, 98, right, 122, color=None, fill=style.accent)
    sheet.text(sheet.width / 2, 115, style.words["title"], 14, bold=True, align="center", color="#ffffff")
    rows = _meta(facts, style)
    step = (right - left) / len(rows)
    sheet.box(left, 130, right, 168)
    sheet.line(left, 146, right, 146)
    for i, (word, value) in enumerate(rows):
        x = left + i * step
        if i:
            sheet.line(x, 130, x, 168)
        sheet.text(x + step / 2, 141, style.words[word], 8.5, bold=True, align="center", max_width=step - 6)
        sheet.text(x + step / 2, 161, value, 10, align="center", max_width=step - 6)
    _buyer_block(sheet, facts, style, left + 6, 192)
    return 272.0


def _din_head(sheet: Sheet, facts: InvoiceFacts, style: _Style) -> float:
    left, right = _margins(sheet, "din")
    sheet.text(right, 50, facts.seller.name, 18, bold=True, align="right", color=style.accent)
    sheet.line(left, 62, right, 62, width=1.2, color=style.accent)
    sender = " · ".join((facts.seller.name, *facts.seller.address))
    sheet.text(left, 128, sender, 6.5, max_width=85 * MM)
    y = 146.0
    if facts.buyer:
        for row in (facts.buyer.name, *facts.buyer.address):
            sheet.text(left, y, row, 10)
            y += 13
        if facts.buyer.tax_id:
            sheet.text(left, y, f"{style.label('tax_id')} {facts.buyer.tax_id}", 8.5)
    y = 146.0
    meta = [(style.label(word), value) for word, value in _meta(facts, style)[1:]]
    gap = max(96.0, *(sheet.width_of(label, 8.5) + 6 for label, _ in meta))
    x = right - 76 - gap
    for label, value in meta:
        sheet.text(x, y, label, 8.5)
        sheet.text(x + gap, y, value, 8.5)
        y += 12
    sheet.text(x, y, f"Tel. {facts.seller.phone}", 8.5)
    sheet.text(left, 250, f"{style.words['number']} {facts.number}", 13, bold=True)
    return 274.0


def _item_table(
    sheet: Sheet, facts: InvoiceFacts, style: _Style, left: float, right: float, top: float, *, ruled: bool
) -> float:
    show_rate = len(facts.tax_by_rate()) > 1
    columns = [left, left + 26, right - (232 if show_rate else 196), right - (150 if show_rate else 128), right - 64]
    price_width = 52.0 if show_rate else 76.0
    bottom = sheet.height - 150

    def head(y: float) -> float:
        if ruled:
            sheet.box(left, y - 12, right, y + 6, fill="#e8e8e8")
        else:
            sheet.line(left, y + 6, right, y + 6, width=1)
        sheet.text(columns[0] + 3, y, "Pos." if style.locale.lang == "de" else "#", 8.5, bold=True)
        sheet.text(columns[1], y, style.words["item"], 8.5, bold=True)
        sheet.text(columns[3] - 34, y, style.words["quantity"], 8.5, bold=True, align="right")
        sheet.text(columns[4] - 6, y, style.words["price"], 8.5, bold=True, align="right", max_width=price_width)
        if show_rate:
            sheet.text(columns[4] - 66, y, "%", 8.5, bold=True, align="right")
        sheet.text(right - 3, y, style.words["amount"], 8.5, bold=True, align="right", max_width=62)
        return y + 20

    y = head(top)
    carried = Decimal(0)
    for position, line in enumerate(facts.lines, 1):
        if y > bottom:
            sheet.text(right - 90, y + 4, style.words["carried"], 8.5, align="right")
            sheet.text(right - 3, y + 4, style.number(carried), 8.5, align="right")
            sheet.text(sheet.width / 2, sheet.height - 40, f"{style.words['page']} 1", 8, align="center")
            sheet.next_page()
            sheet.text(left, 50, f"{style.words['number']} {facts.number}", 9)
            y = head(78)
            sheet.text(columns[1], y, style.words["carried"], 8.5)
            sheet.text(right - 3, y, style.number(carried), 8.5, align="right")
            y += 16
        sheet.text(columns[0] + 3, y, str(position), 9)
        sheet.text(columns[1], y, line.name, 9, max_width=columns[2] - columns[1])
        if line.quantity is not None:
            sheet.text(columns[3] - 34, y, f"{line.quantity:f}", 9, align="right")
            sheet.text(columns[3] - 30, y, line.unit, 9)
        if line.unit_price is not None:
            sheet.text(columns[4] - 6, y, style.number(line.unit_price), 9, align="right")
        if show_rate and line.rate is not None:
            sheet.text(columns[4] - 66, y, style.rate(line.rate), 9, align="right")
        sheet.text(right - 3, y, style.number(line.net), 9, align="right")
        carried += line.net
        if ruled:
            sheet.line(left, y + 5, right, y + 5, width=0.3, color="#999999")
        y += 17
    sheet.line(left, y - 6, right, y - 6, width=1)
    return y


def _totals(sheet: Sheet, facts: InvoiceFacts, style: _Style, right: float, y: float, *, boxed: bool) -> float:
    left = right - 210
    rates = facts.tax_by_rate()
    tax = facts.tax or Decimal(0)
    rows = [(style.label("net"), facts.net, False)]
    if len(rates) == 1:
        rows.append((f"{style.words['tax']} {style.rate(rates[0][0])}{style.colon}", tax, False))
    else:
        for rate, taxable, _ in rates:
            base = f"{style.words['tax']} {style.rate(rate)} ({style.number(taxable)})"
            rows.append((base + style.colon, cents(taxable * rate / 100), False))
        rows.append((style.label("tax_total"), tax, False))
    rows.append((style.label("total"), facts.total, True))
    if style.has_due_amount:
        rows.append((style.label("due_amount"), facts.total, True))
    top = y
    for label, amount, bold in rows:
        if boxed:
            sheet.box(left, y - 11, right, y + 6, fill="#f2f2f2" if bold else None)
        sheet.text(left + 5, y, label, 9.5, bold=bold, max_width=130)
        sheet.text(right - 4, y, style.money(amount), 9.5, bold=bold, align="right")
        y += 17
    if not boxed:
        sheet.line(left, top + 17 * (len(rows) - 1) - 29, right, top + 17 * (len(rows) - 1) - 29, width=0.8)
    return y


def _foot(
    sheet: Sheet, facts: InvoiceFacts, style: _Style, left: float, right: float, y: float, *, in_columns: bool
) -> None:
    seller = facts.seller
    account = "Account" if seller.country == "US" else "IBAN"
    bank = [style.label("bank"), seller.bank_name, f"{account}: {seller.account}"]
    if seller.bic:
        bank.append(f"BIC: {seller.bic}")
    for row in sheet.wrap(style.locale.thanks, 9, right - left):
        sheet.text(left, y, row, 9)
        y += 12
    if not in_columns:
        y += 8
        for number, row in enumerate(bank):
            sheet.text(left, y, row, 9, bold=number == 0)
            y += 12
        return
    y = sheet.height - 62
    sheet.line(left, y - 12, right, y - 12, width=0.4)
    identity = [seller.name, *seller.address]
    tax = [style.label("tax_id"), seller.tax_id] if seller.tax_id else []
    for x, rows in ((left, identity), (left + 165, bank), (left + 345, [row for row in tax if row])):
        for number, row in enumerate(rows):
            sheet.text(x, y + 9 * number, row, 7, max_width=155 if x < left + 300 else 110)

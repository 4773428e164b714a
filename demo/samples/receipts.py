"""Till receipts: British, American, German and Chinese, each as long as what was bought."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from random import Random

from demo.samples import ids
from demo.samples.facts import DocType, InvoiceFacts, LineFacts, PartyFacts, cents
from demo.samples.sheet import MM, Sheet

_WIDTH = 80 * MM
_SHOPS = {
    "GB": (("The Copper Ladle", "Fenwick & Daughters", "Marlow Green Grocers"), "22 Castle Walk", "York YO1 7HH"),
    "US": (("Juniper Diner", "Hollow Creek Hardware", "Blue Fern Coffee"), "310 Elm Street", "Madison, WI 53703"),
    "DE": (("Bäckerei Wiesental", "Drogerie Kastanie", "Café Lotte"), "Marktplatz 4", "37073 Göttingen"),
    "CN": (("云杉渡便利店", "青禾屿面包房", "北岸石咖啡"), "临沙路88号", "上海市浦东新区"),
}
_GOODS = {
    "GB": (("Flat white", "3.20"), ("Sourdough loaf", "4.10"), ("Cheddar 250g", "3.85"), ("Tomato soup", "6.50"),
           ("Sparkling water", "1.95"), ("Lemon drizzle", "3.60")),
    "US": (("Club sandwich", "11.50"), ("Iced tea", "2.75"), ("Wood screws 1lb", "8.49"), ("Drip coffee", "3.25"),
           ("Cherry pie", "5.95"), ("Paint brush 2in", "6.79")),
    "DE": (("Roggenbrot 1000g", "4,60"), ("Milchkaffee", "3,40"), ("Handcreme", "2,95"), ("Apfelkuchen", "3,20"),
           ("Mineralwasser 0,5", "2,10"), ("Zahnbürste", "1,89")),
    "CN": (("拿铁咖啡", "26.00"), ("全麦面包", "15.50"), ("矿泉水", "2.00"), ("三明治", "18.80"), ("酸奶", "7.90")),
}  # fmt: skip
_CURRENCY = {"GB": "GBP", "US": "USD", "DE": "EUR", "CN": "CNY"}
_RATE = {"GB": "20", "US": "5.5", "DE": "7"}


def receipt(rng: Random, country: str, issued: date) -> InvoiceFacts:
    """What an invented shop in ``country`` sold on ``issued``. Prices include tax, except in the United States."""
    names, street, town = _SHOPS[country]
    lines = []
    for name, price in rng.sample(_GOODS[country], rng.randint(2, 5)):
        unit_price = Decimal(price.replace(",", "."))
        quantity = Decimal(rng.choice((1, 1, 1, 2, 3)))
        lines.append(LineFacts(name, unit_price * quantity, quantity, unit_price))
    goods = sum((line.net for line in lines), Decimal(0))
    rate = Decimal(_RATE[country]) if country in _RATE else None
    if country == "US" and rate is not None:
        net, tax = goods, cents(goods * rate / 100)
    elif rate is not None:
        tax = cents(goods * rate / (100 + rate))
        net = goods - tax
    else:
        net, tax = goods, None
    total = net + (tax or 0)
    tax_id = ids.vat_id(rng, country) if country in ("GB", "DE") else None
    facts = InvoiceFacts(
        doc_type=DocType.RECEIPT,
        lang={"GB": "en", "US": "en", "DE": "de", "CN": "zh"}[country],
        currency=_CURRENCY[country],
        number=ids.digits(rng, 6),
        issue_date=issued,
        seller=PartyFacts(
            rng.choice(names), tax_id, (street, town), country, f"{ids.digits(rng, 4)} {ids.digits(rng, 6)}"
        ),
        buyer=None,
        lines=tuple(lines),
        net=net,
        tax=tax,
        total=total,
        printed_time=f"{rng.randint(8, 20):02d}:{rng.randint(0, 59):02d}",
    )
    pays_cash = rng.random() < 0.5
    return replace(facts, paid_in=Decimal((int(total) // 10 + 1) * 10)) if pays_cash else facts


def draw(rng: Random, facts: InvoiceFacts, *, password: str | None = None) -> bytes:
    """The receipt as a PDF, 80 mm wide."""
    country = facts.seller.country
    height = 330 + 26 * len(facts.lines)
    sheet = Sheet((_WIDTH, height), family=rng.choice(("mono", "sans")), title="receipt", password=password)
    y = 30.0
    sheet.text(_WIDTH / 2, y, facts.seller.name, 13, bold=True, align="center", max_width=_WIDTH - 20)
    for row in facts.seller.address:
        y += 13
        sheet.text(_WIDTH / 2, y, row, 9, align="center")
    body: dict[str, Callable[[Random, InvoiceFacts], list[_Row]]] = {
        "GB": _british, "US": _american, "DE": _german, "CN": _chinese,
    }  # fmt: skip
    y += 20
    for left, right, is_bold in body[country](rng, facts):
        if left == "-":
            sheet.text(_WIDTH / 2, y, "-" * 36, 9, align="center", family="mono", max_width=_WIDTH - 20)
        else:
            size = 11 if is_bold else 9
            if right:
                sheet.text(_WIDTH - 12, y, right, size, bold=is_bold, align="right")
                sheet.text(
                    12, y, left, size, bold=is_bold, max_width=_WIDTH - 30 - sheet.width_of(right, size, bold=is_bold)
                )
            else:
                sheet.text(12, y, left, size, bold=is_bold, max_width=_WIDTH - 24)
        y += 13
    return sheet.pdf()


_Row = tuple[str, str, bool]
_RULE: _Row = ("-", "", False)


def _british(rng: Random, facts: InvoiceFacts) -> list[_Row]:
    rows: list[_Row] = [(f"Tel: {facts.seller.phone}", "", False), (f"VAT No: {facts.seller.tax_id}", "", False), _RULE]
    rows += [
        (f"Receipt No: {facts.number}", "", False),
        (f"{facts.issue_date:%d/%m/%Y}", facts.printed_time, False),
        _RULE,
    ]
    for line in facts.lines:
        rows.append((f"{line.quantity} {line.name}", f"{line.net:.2f}", False))
    rows += [_RULE, ("Total", f"£{facts.total:.2f}", True)]
    if facts.paid_in:
        rows += [("Cash", f"£{facts.paid_in:.2f}", False), ("Change", f"£{facts.paid_in - facts.total:.2f}", False)]
    else:
        rows += [("Visa contactless", f"£{facts.total:.2f}", False)]
    rows += [_RULE, ("VAT rate", "20%", False), ("Net", f"{facts.net:.2f}", False), ("VAT", f"{facts.tax:.2f}", False)]
    return [*rows, _RULE, ("Thank you. Please call again.", "", False)]


def _american(rng: Random, facts: InvoiceFacts) -> list[_Row]:
    rows: list[_Row] = [(f"({facts.seller.phone[:3]}) {facts.seller.phone[3:]}", "", False), _RULE]
    rows += [
        (f"Order #: {facts.number}", "", False),
        (f"Date: {facts.issue_date:%b %d, %Y}", facts.printed_time, False),
    ]
    rows += [("Server: Dana", "", False), _RULE]
    for line in facts.lines:
        rows.append((line.name, f"${line.net:.2f}", False))
        if line.quantity and line.quantity > 1:
            rows.append((f"   {line.quantity} @ ${line.unit_price}", "", False))
    rows += [_RULE, ("Subtotal", f"${facts.net:.2f}", False), ("Tax 5.5%", f"${facts.tax:.2f}", False)]
    rows += [("TOTAL", f"${facts.total:.2f}", True)]
    if facts.paid_in:
        rows += [
            ("Cash tendered", f"${facts.paid_in:.2f}", False),
            ("Change due", f"${facts.paid_in - facts.total:.2f}", False),
        ]
    else:
        rows += [("Card ending 4021", f"${facts.total:.2f}", False)]
    return [*rows, _RULE, ("Have a great day!", "", False)]


def _german(rng: Random, facts: InvoiceFacts) -> list[_Row]:
    def euro(amount: Decimal | None) -> str:
        return f"{amount:.2f}".replace(".", ",")

    rows: list[_Row] = [(f"USt-IdNr. {facts.seller.tax_id}", "", False), _RULE, ("", "EUR", False)]
    for line in facts.lines:
        if line.quantity and line.quantity > 1:
            rows.append((f"  {line.quantity} x {euro(line.unit_price)}", "", False))
        rows.append((line.name, f"{euro(line.net)} B", False))
    rows += [_RULE, ("SUMME EUR", euro(facts.total), True)]
    if facts.paid_in:
        rows += [("Bar", euro(facts.paid_in), False), ("Rückgeld", euro(facts.paid_in - facts.total), False)]
    else:
        rows += [("girocard", euro(facts.total), False)]
    rows += [_RULE, ("MwSt B 7,00 %", euro(facts.tax), False), ("Netto", euro(facts.net), False), _RULE]
    rows += [
        (f"Bon-Nr. {facts.number}", "Kasse 2", False),
        (f"{facts.issue_date:%d.%m.%Y}", f"{facts.printed_time} Uhr", False),
    ]
    return [*rows, ("Vielen Dank für Ihren Einkauf!", "", False)]


def _chinese(rng: Random, facts: InvoiceFacts) -> list[_Row]:
    rows: list[_Row] = [("收银小票", "", False), (f"单号：{facts.number}", "", False)]
    rows += [(f"日期：{facts.issue_date:%Y-%m-%d} {facts.printed_time}", "", False), ("收银员：02", "", False), _RULE]
    rows += [("品名 数量*单价", "金额", False)]
    for line in facts.lines:
        rows.append((line.name, "", False))
        rows.append((f"  {line.quantity}*{line.unit_price}", f"{line.net:.2f}", False))
    rows += [_RULE, ("合计", f"¥{facts.total:.2f}", True)]
    if facts.paid_in:
        rows += [("现金", f"{facts.paid_in:.2f}", False), ("找零", f"{facts.paid_in - facts.total:.2f}", False)]
    else:
        rows += [("微信支付", f"{facts.total:.2f}", False)]
    return [*rows, _RULE, ("谢谢惠顾，欢迎再次光临", "", False)]

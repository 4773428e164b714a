"""How Chinese VAT invoices look: the fully digital form, the older electronic and the older paper form."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from random import Random

from demo.samples.chinese import qr_text
from demo.samples.facts import DocType, InvoiceFacts, LineFacts, PartyFacts
from demo.samples.sheet import MM, Sheet

_BROWN = "#8a4b1f"
_RED = "#9c2f24"


def draw(rng: Random, facts: InvoiceFacts, *, password: str | None = None) -> bytes:
    """The invoice as a PDF in the form its type has."""
    if facts.code is None:
        return _digital(rng, facts, password)
    return _older(rng, facts, password)


def _day(day: date) -> str:
    return f"{day:%Y}年{day:%m}月{day:%d}日"


def _vertical(sheet: Sheet, x: float, top: float, bottom: float, text: str, size: float, color: str) -> None:
    step = (bottom - top) / len(text)
    for i, character in enumerate(text):
        sheet.text(x, top + step * (i + 0.5) + size * 0.35, character, size, align="center", color=color)


def _tax_text(line: LineFacts) -> str:
    return f"{line.tax:.2f}" if line.tax is not None else "***"


def _plain(number: Decimal | None) -> str:
    return f"{number:f}" if number is not None else ""


def _digital(rng: Random, facts: InvoiceFacts, password: str | None) -> bytes:
    is_special = facts.doc_type is DocType.CN_DIGITAL_SPECIAL
    title = f"电子发票（{'增值税专用发票' if is_special else '普通发票'}）"
    rows = len(facts.lines)
    extra = max(0, rows - 6) * 14.0
    sheet = Sheet(
        (210 * MM, 140 * MM + extra), family=rng.choice(("serif", "sans", "mono")), title=title, password=password
    )
    left, right = 14.0, sheet.width - 14
    sheet.qr(22, 14, 56, qr_text(facts))
    sheet.text(sheet.width / 2, 42, title, 18, align="center", color=_BROWN)
    sheet.line(190, 48, sheet.width - 190, 48, color=_BROWN)
    sheet.line(190, 51, sheet.width - 190, 51, color=_BROWN)
    sheet.seal(sheet.width / 2, 36, 40, 24, ("全国统一发票监制章", "样张", "税务局监制"))
    for y, label, value in ((34.0, "发票号码：", facts.number), (52.0, "开票日期：", _day(facts.issue_date))):
        sheet.text(right - 168, y, label, 9, color=_BROWN)
        sheet.text(right - 120, y, value, 9)

    top, middle = 76.0, sheet.width / 2
    sheet.box(left, top, right, sheet.height - 36, color=_BROWN)
    parties_end = top + 62
    for x, words, party in ((left, "购买方信息", facts.buyer), (middle, "销售方信息", facts.seller)):
        sheet.line(x, top, x, parties_end, color=_BROWN)
        sheet.line(x + 18, top, x + 18, parties_end, color=_BROWN)
        _vertical(sheet, x + 9, top + 2, parties_end - 2, words, 9, _BROWN)
        used = sheet.text(x + 24, top + 22, "名称：", 9, color=_BROWN)
        if party:
            sheet.text(x + 24 + used, top + 22, party.name, 9, max_width=228)
        used = sheet.text(x + 24, top + 48, "统一社会信用代码/纳税人识别号：", 9, color=_BROWN)
        if party and party.tax_id:
            sheet.text(x + 24 + used, top + 48, party.tax_id, 9, max_width=120)
    sheet.line(left, parties_end, right, parties_end, color=_BROWN)

    # Column anchors: name, specification, unit left; quantity, price, amount, tax right; rate centred.
    anchors: list[float] = [left + 6, left + 148, left + 210, left + 280, left + 350, left + 424, left + 470, right - 8]
    heads = ("项目名称", "规格型号", "单 位", "数 量", "单 价", "金 额", "税率/征收率", "税 额")
    aligns = ("left", "left", "left", "right", "right", "right", "center", "right")
    y = parties_end + 13.0
    for x, head, align in zip(anchors, heads, aligns, strict=True):
        sheet.text(x, y, head, 8.5, align=align, color=_BROWN)
    y += 15
    for line in facts.lines:
        cells = (
            line.name, line.specification, line.unit, _plain(line.quantity), _plain(line.unit_price),
            f"{line.net:.2f}", line.rate_text, _tax_text(line),
        )  # fmt: skip
        for column, (x, cell, align) in enumerate(zip(anchors, cells, aligns, strict=True)):
            if cell:
                sheet.text(x, y, cell, 8.5, align=align, max_width=138 if column == 0 else 66)
        y += 14

    notes_top = sheet.height - 36 - 62
    words_top = notes_top - 24
    sheet.text(left + 40, words_top - 7, "合", 9, color=_BROWN)
    sheet.text(left + 84, words_top - 7, "计", 9, color=_BROWN)
    sheet.text(anchors[5], words_top - 7, f"¥{facts.net:.2f}", 9, align="right")
    sheet.text(anchors[7], words_top - 7, f"¥{facts.tax:.2f}" if facts.tax is not None else "***", 9, align="right")
    sheet.line(left, words_top, right, words_top, color=_BROWN)
    sheet.line(left + 142, words_top, left + 142, notes_top, color=_BROWN)
    sheet.text(left + 30, words_top + 16, "价税合计（大写）", 9, color=_BROWN)
    sheet.circled_cross(left + 158, words_top + 12, 4.5, _BROWN)
    sheet.text(left + 168, words_top + 16, facts.amount_in_words or "", 9.5)
    used = sheet.text(left + 400, words_top + 16, "（小写）", 9, color=_BROWN)
    sheet.text(left + 400 + used, words_top + 16, f"¥{facts.total:.2f}", 9.5)
    sheet.line(left, notes_top, right, notes_top, color=_BROWN)
    sheet.line(left + 18, notes_top, left + 18, sheet.height - 36, color=_BROWN)
    _vertical(sheet, left + 9, notes_top + 8, sheet.height - 44, "备注", 9, _BROWN)
    notes = [facts.note] if facts.note else []
    if rng.random() < 0.4:
        notes.append(f"销方开户银行：{facts.seller.bank_name}； 银行账号：{facts.seller.account}；")
    for i, note in enumerate(notes):
        sheet.text(left + 26, notes_top + 16 + 14 * i, note, 8.5, max_width=right - left - 40)
    used = sheet.text(left + 46, sheet.height - 18, "开票人：", 9, color=_BROWN)
    sheet.text(left + 46 + used, sheet.height - 18, facts.drawer or "", 9)
    return sheet.pdf()


def _older(rng: Random, facts: InvoiceFacts, password: str | None) -> bytes:
    is_special = facts.doc_type is DocType.CN_VAT_SPECIAL
    ink = _RED if is_special else _BROWN
    city = facts.seller.name[:2]
    title = f"{city}增值税{'专用发票' if is_special else '电子普通发票'}"
    sheet = Sheet((215 * MM, 140 * MM), family=rng.choice(("mono", "serif")), title=title, password=password)
    left, right = 26.0, sheet.width - 22
    _older_head(sheet, facts, title, ink, left, right, is_special=is_special)

    top = 92.0
    split = left + 330
    sheet.box(left, top, right, sheet.height - 30, color=ink)
    _party_block(sheet, facts.buyer, "购买方", left, top, split, top + 56, ink)
    sheet.line(split, top, split, top + 56, color=ink)
    sheet.line(split + 16, top, split + 16, top + 56, color=ink)
    _vertical(sheet, split + 8, top + 4, top + 52, "密码区", 8.5, ink)
    for i, row in enumerate(facts.cipher):
        sheet.text(split + 24, top + 13 + 12.5 * i, row, 10.5, family="mono", max_width=right - split - 30)
    sheet.line(left, top + 56, right, top + 56, color=ink)

    table_top, table_bottom = top + 56, sheet.height - 30 - 56 - 20
    edges = [left, left + 150, left + 212, left + 244, left + 300, left + 366, left + 442, left + 478, right]
    heads = ("货物或应税劳务、服务名称", "规格型号", "单位", "数 量", "单 价", "金 额", "税率", "税 额")
    aligns = ("left", "left", "center", "right", "right", "right", "center", "right")
    for edge in edges[1:-1]:
        sheet.line(edge, table_top, edge, table_bottom, color=ink)
    for i, head in enumerate(heads):
        sheet.text((edges[i] + edges[i + 1]) / 2, table_top + 11, head, 8.5, align="center", color=ink)
    y = table_top + 25
    for line in facts.lines:
        cells = (
            line.name, line.specification, line.unit, _plain(line.quantity), _plain(line.unit_price),
            f"{line.net:.2f}", line.rate_text, _tax_text(line),
        )  # fmt: skip
        for i, (cell, align) in enumerate(zip(cells, aligns, strict=True)):
            if cell:
                x = {"left": edges[i] + 3, "right": edges[i + 1] - 4, "center": (edges[i] + edges[i + 1]) / 2}[align]
                sheet.text(x, y, cell, 8.5, align=align, max_width=edges[i + 1] - edges[i] - 5)
        y += 12.5
    sheet.text((edges[0] + edges[1]) / 2, table_bottom - 6, "合    计", 8.5, align="center", color=ink)
    sheet.text(edges[6] - 4, table_bottom - 6, f"¥{facts.net:.2f}", 9, align="right")
    sheet.text(
        edges[8] - 4, table_bottom - 6, f"¥{facts.tax:.2f}" if facts.tax is not None else "***", 9, align="right"
    )

    sheet.line(left, table_bottom, right, table_bottom, color=ink)
    sheet.line(edges[1], table_bottom, edges[1], table_bottom + 20, color=ink)
    sheet.text((edges[0] + edges[1]) / 2, table_bottom + 14, "价税合计（大写）", 8.5, align="center", color=ink)
    sheet.circled_cross(edges[1] + 16, table_bottom + 10, 5, ink)
    sheet.text(edges[1] + 26, table_bottom + 14, facts.amount_in_words or "", 9.5)
    used = sheet.text(edges[5] + 4, table_bottom + 14, "（小写）", 8.5, color=ink)
    sheet.text(edges[5] + 6 + used, table_bottom + 14, f"¥{facts.total:.2f}", 10)
    sheet.line(left, table_bottom + 20, right, table_bottom + 20, color=ink)

    foot = table_bottom + 20
    _party_block(sheet, facts.seller, "销售方", left, foot, split, sheet.height - 30, ink)
    sheet.line(split, foot, split, sheet.height - 30, color=ink)
    sheet.line(split + 16, foot, split + 16, sheet.height - 30, color=ink)
    _vertical(sheet, split + 8, foot + 8, sheet.height - 38, "备注", 8.5, ink)
    if facts.note:
        sheet.text(split + 22, foot + 14, facts.note, 8.5, max_width=right - split - 30)
    sheet.seal(right - 70, sheet.height - 46, 44, 26, (facts.seller.name[:12], "发票专用章"))
    y = sheet.height - 16
    for x, label, clerk in (
        (left + 8, "收款人：", facts.payee),
        (left + 150, "复核：", facts.reviewer),
        (left + 290, "开票人：", facts.drawer),
    ):
        used = sheet.text(x, y, label, 8.5, color=ink)
        sheet.text(x + used, y, clerk or "", 8.5)
    sheet.text(left + 420, y, "销售方：（章）", 8.5, color=ink)
    return sheet.pdf()


def _older_head(
    sheet: Sheet, facts: InvoiceFacts, title: str, ink: str, left: float, right: float, *, is_special: bool
) -> None:
    sheet.text(sheet.width / 2, 44, title, 19, align="center", color=ink)
    sheet.line(200, 50, sheet.width - 200, 50, color=ink)
    sheet.line(200, 53, sheet.width - 200, 53, color=ink)
    sheet.seal(sheet.width / 2, 46, 38, 22, ("全国统一发票监制章", "样张"))
    sheet.qr(left + 6, 20, 46, qr_text(facts))
    if is_special:
        # The paper form prints code and number big and without labels, and again small beside them.
        sheet.text(left + 78, 40, facts.code or "", 15)
        sheet.text(right - 128, 40, f"No {facts.number}", 16, color="#1d2c6b")
        sheet.text(right - 2, 54, facts.code or "", 8, align="right")
        sheet.text(right - 2, 64, facts.number, 8, align="right")
        rows = [("开票日期：", _day(facts.issue_date))]
        y = 78.0
    else:
        code = facts.check_code or ""
        rows = [
            ("发票代码：", facts.code or ""),
            ("发票号码：", facts.number),
            ("开票日期：", _day(facts.issue_date)),
            ("校 验 码：", " ".join(code[i : i + 5] for i in range(0, len(code), 5))),
        ]
        y = 34.0
    for label, value in rows:
        used = sheet.text(right - 158, y, label, 8.5, color=ink)
        sheet.text(right - 158 + used, y, value, 8.5, max_width=158 - used)
        y += 14
    used = sheet.text(left, 84, "机器编号：", 8.5, color=ink)
    sheet.text(left + used, 84, facts.machine_number or "", 8.5)


def _party_block(
    sheet: Sheet, party: PartyFacts | None, word: str, x0: float, y0: float, x1: float, y1: float, ink: str
) -> None:
    sheet.line(x0 + 16, y0, x0 + 16, y1, color=ink)
    _vertical(sheet, x0 + 8, y0 + 4, y1 - 4, word, 8.5, ink)
    if party is None:
        return
    rows = (
        ("名    称：", party.name),
        ("纳税人识别号：", party.tax_id or ""),
        ("地 址、电 话：", f"{party.address[0]} {party.phone}"),
        ("开户行及账号：", f"{party.bank_name} {party.account}"),
    )
    step = (y1 - y0) / 4
    for i, (label, value) in enumerate(rows):
        y = y0 + step * (i + 0.5) + 3
        sheet.text(x0 + 22, y, label, 8, color=ink)
        sheet.text(x0 + 84, y, value, 8.5, max_width=x1 - x0 - 88)

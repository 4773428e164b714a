"""What a Chinese VAT invoice says by its numbers: code beside the number, the type from both, red or blue.

Rules CN-NUM-1 to CN-NUM-3 of the field reference: types 31, 32 and so on have a number of 20 digits and no code, the
older ones a code of 10 or 12 digits and a number of 8; the type follows from the code.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from hunyuan_ocr.extraction.assemble import derive
from hunyuan_ocr.extraction.labels import Region
from hunyuan_ocr.extraction.layout import Layout
from hunyuan_ocr.extraction.leads import candidate_of, lead_of
from hunyuan_ocr.extraction.prompts import PromptProfile, Where
from hunyuan_ocr.extraction.values import Found
from hunyuan_ocr.model.evidence import FieldState, FieldValue

_TOP = 330.0
_CODE = re.compile(r"(?<!\d)(\d{12}|\d{10})(?!\d)")
_LEGACY_E_CODES = frozenset({"144031539110", "131001570151", "133011501118", "111001571071"})
_BY_ENDING = {"04": "04", "05": "04", "06": "11", "07": "11", "11": "10", "12": "14", "13": "08", "17": "15"}


def add_chinese_fields(
    values: dict[str, FieldValue], layout: Layout, profile: PromptProfile, ask: Callable[[str, str], None]
) -> None:
    """Add code, type and colour to the values of a Chinese VAT invoice, in place; other documents are left alone."""
    if profile.locale.country != "CN" or "cn_check_code" not in profile.fields:
        return
    number = _norm(values, "invoice_number")
    if number is not None and len(number) == 20:
        values["cn_invoice_code"] = FieldValue(
            "cn_invoice_code", FieldState.NOT_APPLICABLE, None, (), "an invoice with a 20-digit number has no code"
        )
    elif _norm(values, "cn_invoice_code") is None:
        _find_code(values, layout)
    code = _norm(values, "cn_invoice_code")
    kind = type_of(number, code, layout)
    if kind is not None:
        derive(values, "cn_invoice_type", kind, "follows from the code, or from number and title")
    words = _norm(values, "cn_amount_in_words") or ""
    total = _norm(values, "total_with_tax") or ""
    if "负" in words or total.startswith("-"):
        derive(values, "cn_is_red", "true", "the total is negative")
        if "负" not in words or not total.startswith("-"):
            ask("RED_UNCLEAR", "only one of the total and the amount in words is negative")


def _norm(values: dict[str, FieldValue], path: str) -> str | None:
    value = values.get(path)
    return value.chosen.value_norm if value is not None and value.chosen is not None else None


def type_of(number: str | None, code: str | None, layout: Layout) -> str | None:
    """The two-digit invoice type (table of the tax administration), or ``None`` when it cannot be told.

    >>> type_of("33207675", "012001800311", Layout(()))
    '10'
    """
    if code is not None:
        if code in _LEGACY_E_CODES:
            return "10"
        if len(code) == 12:
            return _BY_ENDING.get(code[-2:]) if code[0] == "0" else "03"
        if len(code) == 10:
            return {"1": "01", "5": "01", "3": "04", "6": "04"}.get(code[7])
        return None
    if number is not None and len(number) == 20:
        top = "".join(chunk.text for row in layout.rows[:14] for chunk in row.chunks).replace(" ", "")
        if "专用发票" in top:
            return "31"
        if "普通发票" in top:
            return "32"
    return None


def _find_code(values: dict[str, FieldValue], layout: Layout) -> None:
    """The paper form prints its code without a label, often twice, beside the number."""
    found: Counter[str] = Counter()
    places: dict[str, tuple[Region, Found]] = {}
    number = _norm(values, "invoice_number")
    for row_no, row in enumerate(layout.rows):
        for column, chunk in enumerate(row.chunks):
            if chunk.box.y0 > _TOP or any(mark in chunk.text for mark in ("编号", "校验", "识别", "电话", "账号")):
                continue
            for match in _CODE.finditer(chunk.text):
                digits = match.group(1)
                found[digits] += 1 + (number is not None and number in chunk.text)
                region = Region(Where.SAME_SPAN, row_no, column, chunk, 0, len(chunk.text), 1.0)
                places.setdefault(digits, (region, Found(*match.span(1), digits, digits, 1.0, (digits,))))
    ranked = found.most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return
    digits, votes = ranked[0]
    region, value = places[digits]
    lead = lead_of("cn_invoice_code", region, value, 0.85 if votes > 1 else 0.6, "")
    values["cn_invoice_code"] = FieldValue(
        "cn_invoice_code", FieldState.PRESENT, candidate_of(lead, layout), (), "printed beside the number"
    )

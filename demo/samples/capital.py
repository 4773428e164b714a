"""Chinese capital amounts (价税合计大写) as invoice software prints them; written apart from the product's parser."""

from __future__ import annotations

from decimal import Decimal

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_SECTIONS = ("", "万", "亿", "万亿")


def capital_amount(amount: Decimal) -> str:
    """``1030.05`` as ``壹仟零叁拾圆零伍分``; whole yuan end in 整.

    >>> capital_amount(Decimal("1030.05")), capital_amount(Decimal("20600.00")), capital_amount(Decimal("500.60"))
    ('壹仟零叁拾圆零伍分', '贰万零陆佰圆整', '伍佰圆陆角整')
    """
    if amount < 0:
        return f"（负数）{capital_amount(-amount)}"
    yuan, fen = divmod(int(amount * 100), 100)
    words = f"{_integer(yuan)}圆" if yuan else ""
    jiao, fen = divmod(fen, 10)
    if not jiao and not fen:
        return (words or "零圆") + "整"
    words += f"{_DIGITS[jiao]}角" if jiao else ("零" if yuan else "")
    return words + (f"{_DIGITS[fen]}分" if fen else "整")


def _integer(number: int) -> str:
    words, pending_zero, section = "", False, 0
    sections = []
    while number:
        number, low = divmod(number, 10_000)
        sections.append((low, _SECTIONS[section]))
        section += 1
    for low, unit in reversed(sections):
        if not low:
            pending_zero = bool(words)
            continue
        if words and (pending_zero or low < 1000):
            words += "零"
        words += _below_ten_thousand(low) + unit
        pending_zero = False
    return words


def _below_ten_thousand(number: int) -> str:
    words, gap = "", False
    for unit, name in ((1000, "仟"), (100, "佰"), (10, "拾"), (1, "")):
        digit = number // unit % 10
        if digit:
            words += ("零" if gap and words else "") + _DIGITS[digit] + name
            gap = False
        else:
            gap = True
    return words

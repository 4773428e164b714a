"""Chinese amounts in words (大写金额): reading them in every usual form, and writing them the way banks require.

Refuses whatever is not an amount from its first to its last character: a wrong reading here would vouch for a wrong
total. Source of the form written: the People's Bank of China's rules for filling in bills (支付结算办法, annex 1).
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_UNITS = {"拾": 10, "佰": 100, "仟": 1000}
# First the character that banks require (simplified), then the everyday, traditional and Japanese ones.
_SAME = (
    "零〇○◯", "壹一弌壱", "贰二两兩貳貮弍弐", "叁三叄參参弎", "肆四", "伍五", "陆六陸", "柒七", "捌八", "玖九",
    "拾十", "佰百", "仟千", "万萬", "亿億", "圆元圓", "整正", "负負", "数數", "币幣", "价價", "税稅", "计計", "写寫",
    "总總", "额額",
)  # fmt: skip
_FOLDED = str.maketrans({variant: group[0] for group in _SAME for variant in group[1:]})

# ⓧ is printed before the first character so that nobody can write another one there; readers see an x or a cross.
_FILLERS = "ⓧⓍ⊗⨂×✕✖xX"
# On forms with one box per place a filler stands for "none of these".
_FILLED_PLACE = re.compile(rf"[{_FILLERS}](?=[拾佰仟万亿圆角分])")
_ZEROS = re.compile("零+")
_LONGEST = 80
_WHITE_SPACE = re.compile(r"\s+")
_LEAD = re.compile(rf"(?:价税合计|合计|总计|金额|\(大写\)|大写|人民币|RMB|CNY|¥|[{_FILLERS}:,.])*")
_MINUS = re.compile(r"\(负数?\)|负数?|-")

_SECTION = r"(?=[零D拾])零?(?:[零D]仟)?零?(?:[零D]佰)?零?(?:[零D]?拾)?零?[D]?".replace("D", _DIGITS[1:])
_WHOLE = rf"(?=[{_DIGITS}拾])(?:(?:{_SECTION}万)?(?:{_SECTION})?亿)?(?:{_SECTION}万)?(?:{_SECTION})?"
_AMOUNT = re.compile(rf"(?:(?P<whole>{_WHOLE})圆)?零?(?:(?P<jiao>[{_DIGITS}])角)?零?(?:(?P<fen>[{_DIGITS}])分)?整?")


def parse_capital_amount(text: str) -> Decimal | None:
    """The amount a text says in words; ``None`` when it is not one.

    Takes bank and everyday digits, 圆 and 元, 整 and 正, 〇 and 零, traditional characters, a leading ⓧ, 人民币 or
    （大写）, and 负 or （负数） for a negative amount. Exact to the fen: the result has two decimals.

    >>> parse_capital_amount("ⓧ壹仟贰佰圆零伍分"), parse_capital_amount("（负数）柒角伍分"), parse_capital_amount("圆")
    (Decimal('1200.05'), Decimal('-0.75'), None)
    """
    # Folded before and after: NFKC would turn ⓧ into a plain x, and Kangxi radicals into characters to fold.
    words = unicodedata.normalize("NFKC", _WHITE_SPACE.sub("", text).translate(_FOLDED)).translate(_FOLDED)
    if len(words) > _LONGEST:
        return None
    words = _ZEROS.sub("零", _FILLED_PLACE.sub("零", words)).rstrip(",.;。、")
    words = _LEAD.sub("", words, count=1)
    minus = _MINUS.match(words)
    if minus:
        words = _LEAD.sub("", words[minus.end() :], count=1)
    match = _AMOUNT.fullmatch(words)
    if match is None or not (match["whole"] or match["jiao"] or match["fen"]):
        return None
    fen = _value(match["whole"] or "") * 100 + _digit(match["jiao"]) * 10 + _digit(match["fen"])
    amount = Decimal(fen).scaleb(-2)
    return -amount if minus and fen else amount


def format_capital_amount(amount: Decimal) -> str:
    """The amount in words as banks require it: ``壹仟贰佰圆零伍分``, ``叁圆柒角整``, ``（负数）壹佰圆整``.

    Raises ``ValueError`` for more than two decimals, and from ten quadrillion (10^16) upwards.
    """
    if not amount.is_finite() or abs(amount) >= 10**16 or amount != round(amount, 2):
        raise ValueError("an amount in words has at most 16 digits before and 2 after the point: round it first")
    whole, cents = divmod(int(abs(amount).scaleb(2)), 100)
    jiao, fen = divmod(cents, 10)
    words = _in_words(whole) + "圆" if whole or not cents else ""
    if jiao:
        words += _DIGITS[jiao] + "角"
    if fen:
        words += ("零" if whole and not jiao else "") + _DIGITS[fen] + "分"
    else:
        words += "整"
    return f"（负数）{words}" if amount < 0 else words


def _digit(character: str | None) -> int:
    return _DIGITS.index(character) if character else 0


def _value(words: str) -> int:
    """The whole number that well-formed words say."""
    above = ten_thousands = section = 0
    digit: int | None = None
    for character in words:
        if character in _DIGITS:
            digit = _DIGITS.index(character)
            continue
        if character in _UNITS:
            # 拾 alone is ten, 零拾 is none.
            section += (1 if digit is None else digit) * _UNITS[character]
        elif character == "万":
            ten_thousands, section = (section + (digit or 0)) * 10**4, 0
        else:
            above, ten_thousands, section = (ten_thousands + section + (digit or 0)) * 10**8, 0, 0
        digit = None
    return above + ten_thousands + section + (digit or 0)


def _in_words(number: int) -> str:
    if number == 0:
        return "零"
    words = ""
    for unit, value in (("亿", 10**8), ("万", 10**4)):
        if number >= value:
            high, number = divmod(number, value)
            words += _in_words(high) + unit
            # A missing thousands place is said, whatever stands below it.
            if number and number < value // 10:
                words += "零"
    return words + _section_in_words(number)


def _section_in_words(number: int) -> str:
    """1 to 9999, with one 零 for each run of zeros inside; nothing for 0."""
    words, gap = "", False
    for place, unit in ((1000, "仟"), (100, "佰"), (10, "拾"), (1, "")):
        digit = number // place % 10
        if digit:
            words += ("零" if gap and words else "") + _DIGITS[digit] + unit
        gap = digit == 0
    return words

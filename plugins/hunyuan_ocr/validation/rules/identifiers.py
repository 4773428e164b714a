"""Tax ids of seller and buyer: CN-ID-1 to -4, ID-VAT-EU, BR-CO-09, BR-CO-26. Format and checksum only.

Refuses to ask a register (VIES, a tax platform): that a number exists is not decided here. Refuses to repair: CN-ID-4
only proposes.
"""

from __future__ import annotations

import re

from hunyuan_ocr.model.findings import Severity
from hunyuan_ocr.model.invoice import DocumentKind, Invoice, TaxIdType
from hunyuan_ocr.model.parsing.tax_ids import TaxId, gb11714_check_digit, parse_tax_id, uscc_check_digit
from hunyuan_ocr.validation.rules.base import InvoiceFacts, Rule, Ruling, failed, not_applicable, passed
from hunyuan_ocr.validation.rules.chinese import CN_TAX_ID_TYPES, is_chinese_vat

ERROR, WARN, INFO = Severity.ERROR, Severity.WARN, Severity.INFO

_SELLER, _BUYER = "seller.tax_id", "buyer.tax_id"
_NOT_CHINESE = "Not a Chinese VAT invoice."
_USCC_SHAPE = re.compile(r"[0-9A-Z]{2}[0-9]{6}[0-9A-Z]{10}", re.ASCII)
_CN15_SHAPE = re.compile(r"[0-9]{6}[0-9A-Z]{9}", re.ASCII)
# ISO 3166 prefixes of the VAT area, and the three that are not ISO: Greece, Northern Ireland, the union scheme.
_VAT_PREFIX = re.compile(
    r"(?:AT|BE|BG|CH|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|GR|HR|HU|IE|IT|LI|LT|LU|LV|MC|MT|NL|NO|PL|PT|RO|SE|SI|SK|SM|XI|1A|EU|IM)"
)


def _printed_ids(invoice: Invoice, facts: InvoiceFacts) -> tuple[tuple[str, str, str | None], ...]:
    """Field path, printed id and country of seller and buyer; masked ones are not printed."""
    parties = ((_SELLER, invoice.seller), (_BUYER, invoice.buyer))
    return tuple(
        (path, party.tax_id, party.country)
        for path, party in parties
        if party.tax_id is not None and not facts.is_obscured(path)
    )


def _parsed(invoice: Invoice, facts: InvoiceFacts, *, chinese: bool) -> list[tuple[str, str, TaxId | None]]:
    country = "CN" if chinese else None
    return [(path, text, parse_tax_id(text, country or where)) for path, text, where in _printed_ids(invoice, facts)]


def _whose(path: str) -> str:
    return "seller" if path == _SELLER else "buyer"


def chinese_id(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """CN-ID-1: one of the four Chinese shapes, and an identity number's check character; the buyer's only warns."""
    if not is_chinese_vat(invoice):
        return not_applicable(_NOT_CHINESE)
    ids = _parsed(invoice, facts, chinese=True)
    if not ids:
        return not_applicable("No tax id was read.", fields=(_SELLER, _BUYER))
    wrong = [
        (path, text)
        for path, text, parsed in ids
        if parsed is None
        or parsed.type not in CN_TAX_ID_TYPES
        or (parsed.type is TaxIdType.CN_RIC18 and parsed.is_valid is False)
    ]
    if not wrong:
        return passed(*(path for path, _, _ in ids))
    path, text = wrong[0]
    return failed(
        *(p for p, _ in wrong),
        expected="18, 15 or 20 characters",
        actual=text,
        message=f"The {_whose(path)}'s 纳税人识别号 is no Chinese tax id: a character is missing or misread.",
        severity=ERROR if path == _SELLER else WARN,
    )


def _chinese_values(invoice: Invoice, facts: InvoiceFacts, shape: re.Pattern[str]) -> list[tuple[str, str]]:
    """The printed ids of a shape; identity-card numbers, which have check digits of their own, are left out."""
    return [
        (path, parsed.value)
        for path, _, parsed in _parsed(invoice, facts, chinese=True)
        if parsed is not None and parsed.type is not TaxIdType.CN_RIC18 and shape.fullmatch(parsed.value)
    ]


def uscc_checksum(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """CN-ID-2, mod 31 of GB 32100; an identity-card number in the same 18 places (RIC18) is not judged by it."""
    if not is_chinese_vat(invoice):
        return not_applicable(_NOT_CHINESE)
    ids = _chinese_values(invoice, facts, _USCC_SHAPE)
    if not ids:
        return not_applicable("No 18-character social credit code.", fields=(_SELLER, _BUYER))
    for path, value in ids:
        expected = _check_digit(value[:17])
        if expected != value[17]:
            return failed(
                path,
                expected=expected,
                actual=value[17],
                message=f"The {_whose(path)}'s 统一社会信用代码 fails its checksum: compare it letter by letter.",
            )
    return passed(*(path for path, _ in ids))


def _check_digit(first17: str) -> str | None:
    """The check character, or ``None`` when a letter outside the code's alphabet (I, O, S, V, Z) stands in it."""
    try:
        return uscc_check_digit(first17)
    except ValueError:
        return None


def nested_checksum(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """CN-ID-3: the organisation code of GB 11714 in places 9 to 17, or the last nine of a 15-character id."""
    if not is_chinese_vat(invoice):
        return not_applicable(_NOT_CHINESE)
    codes = [(path, value[8:17]) for path, value in _chinese_values(invoice, facts, _USCC_SHAPE)]
    codes += [(path, value[6:]) for path, value in _chinese_values(invoice, facts, _CN15_SHAPE)]
    if not codes:
        return not_applicable("No tax id with an organisation code in it.", fields=(_SELLER, _BUYER))
    for path, code in codes:
        try:
            expected: str | None = gb11714_check_digit(code[:8])
        except ValueError:
            expected = None
        if expected != code[8]:
            return failed(
                path,
                expected=expected,
                actual=code[8],
                message=f"The {_whose(path)}'s tax id: its organisation code fails its check: compare it with care.",
            )
    return passed(*(path for path, _ in codes))


def repair_proposed(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """CN-ID-4: a look-alike slip (I, O, Z, S) with one repair that passes the checksum. Only ever a proposal."""
    if not is_chinese_vat(invoice):
        return not_applicable(_NOT_CHINESE)
    ids = _parsed(invoice, facts, chinese=True)
    if not ids:
        return not_applicable("No tax id was read.", fields=(_SELLER, _BUYER))
    for path, text, parsed in ids:
        if parsed is not None and parsed.repair is not None:
            return failed(
                path,
                expected=parsed.repair,
                actual=text,
                message=f"The {_whose(path)}'s tax id would pass its checksum as proposed. Confirm it on the document.",
            )
    return passed(*(path for path, _, _ in ids))


def vat_id(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """ID-VAT-EU: checksum and format of ids outside China; an error for the seller, a warning for the buyer."""
    if is_chinese_vat(invoice):
        return not_applicable("A Chinese VAT invoice: CN-ID-1 to CN-ID-3 judge its tax ids.")
    ids = [(path, text, parsed) for path, text, parsed in _parsed(invoice, facts, chinese=False) if parsed is not None]
    judged = [(path, text, parsed) for path, text, parsed in ids if parsed.is_valid is not None]
    if not judged:
        return not_applicable("No tax id of a kind that can be checked.", fields=(_SELLER, _BUYER))
    wrong = [(path, text, parsed) for path, text, parsed in judged if not parsed.is_valid]
    if not wrong:
        return passed(*(path for path, _, _ in judged))
    path, text, parsed = wrong[0]
    why = f" ({'; '.join(parsed.problems)})" if parsed.problems else ""
    return failed(
        *(p for p, _, _ in wrong),
        expected=parsed.repair,
        actual=text,
        message=f"The {_whose(path)}'s tax id fails its check{why}: compare it with the document.",
        severity=ERROR if path == _SELLER else WARN,
    )


def vat_prefix(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """BR-CO-09. On paper the country is often left out, so a missing prefix is only a warning there."""
    parties = (
        (_SELLER, invoice.seller),
        (_BUYER, invoice.buyer),
        ("tax_representative.tax_id", invoice.tax_representative),
    )
    vat = [
        (path, party.tax_id)
        for path, party in parties
        if party is not None and party.tax_id is not None and party.tax_id_type in {TaxIdType.EU_VAT, TaxIdType.GB_VAT}
    ]
    if not vat:
        return not_applicable("No European VAT id.", fields=(_SELLER, _BUYER))
    bare = [(path, text) for path, text in vat if not _VAT_PREFIX.match(text.strip().upper())]
    if not bare:
        return passed(*(path for path, _ in vat))
    return failed(
        *(path for path, _ in bare),
        expected="a country prefix",
        actual=bare[0][1],
        message="A VAT id starts with its country (DE, FR, EL, XI ...): add it before the id is exported.",
        severity=ERROR if facts.source_is_structured else WARN,
    )


# Countries without VAT, where an invoice need not show any number of the seller (EN 16931 is not their standard).
_PRINTS_NO_TAX_ID = frozenset({"US", "HK"})


def seller_is_identified(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    names = ("seller.tax_id", "seller.legal_id", "seller.party_id")
    if invoice.document_kind not in {DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE, DocumentKind.DEBIT_NOTE}:
        return not_applicable("Only an invoice, credit note or debit note must identify its seller.", fields=names)
    seller = invoice.seller
    if seller.tax_id is not None or seller.legal_id is not None or seller.party_id is not None:
        return passed(*names)
    prints_none = seller.country in _PRINTS_NO_TAX_ID or (seller.country is None and invoice.currency == "USD")
    return failed(
        *names,
        severity=WARN if prints_none else None,
        message="No tax id, register number or supplier number of the seller was read: enter one.",
    )


_CN = "State Taxation Administration"

RULES = (
    Rule("CN-ID-1", 1, (ERROR, WARN), (), "A taxpayer id has 18, 15 or 20 characters of the right form.",
         "纳税人识别号为18位、15位或20位。", chinese_id, _CN),
    Rule("CN-ID-2", 1, (ERROR,), (), "A unified social credit code passes its checksum.",
         "统一社会信用代码校验码正确。", uscc_checksum, "GB 32100-2015"),
    Rule("CN-ID-3", 1, (WARN,), (), "The organisation code inside a tax id passes its check digit.",
         "组织机构代码校验码正确。", nested_checksum, "GB 11714-1997"),
    Rule("CN-ID-4", 1, (INFO,), (), "A tax id needs no repair of look-alike characters.",
         "纳税人识别号无形近字符误读。", repair_proposed, "this project"),
    Rule("ID-VAT-EU", 1, (ERROR, WARN), (), "A VAT id outside China has the form and checksum of its country.",
         "境外税号的格式与校验码正确。", vat_id, "national checksums"),
    Rule("BR-CO-09", 1, (WARN, ERROR), (), "A VAT id starts with its country's prefix.", "增值税号以国家代码开头。",
         vat_prefix),
    Rule("BR-CO-26", 2, (ERROR, WARN), (), "The seller has a tax id, register number or supplier number.",
         "销售方有税号、登记号或供应商编号。", seller_is_identified),
)  # fmt: skip

"""The project's own rules on evidence, EV-1 to EV-3: no value is staged that nobody could read with certainty.

They come from no standard: they keep this project's promise "evidence or review".
"""

from __future__ import annotations

from hunyuan_ocr.model.findings import Severity
from hunyuan_ocr.model.invoice import Invoice
from hunyuan_ocr.validation.rules.base import InvoiceFacts, Rule, Ruling, failed, is_missing, not_applicable, passed
from hunyuan_ocr.validation.rules.dates import DATE_FIELDS
from hunyuan_ocr.validation.rules.mandatory import mandatory_fields

ERROR = Severity.ERROR


def mandatory_is_legible(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """EV-1: a mandatory value is printed but illegible, masked or open to several readings.

    One that is absent fails its BR rule; an ambiguous date or currency fails DATE-4 or CUR-2, which say more.
    """
    names = mandatory_fields(invoice.document_kind)
    told_elsewhere = facts.ambiguous_fields & {*DATE_FIELDS, "currency"}
    obscured = tuple(
        name
        for name in names
        if is_missing(invoice, name)
        and name not in told_elsewhere
        and (facts.is_obscured(name) or name in facts.ambiguous_fields)
    )
    if obscured:
        return failed(
            *obscured,
            message=f"Printed but not readable for certain: {', '.join(obscured)}. Enter it, or ask for a better copy.",
        )
    return passed(*names) if names else not_applicable("Nothing is mandatory for this kind of document.")


def mandatory_is_certain(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """EV-2: a mandatory value was read with less confidence than the policy asks for."""
    if facts.source_is_structured:
        return not_applicable("The values are exact data, not read from a picture.")
    read = [name for name in mandatory_fields(invoice.document_kind) if name in facts.confidences]
    given = [name for name in read if not is_missing(invoice, name)]
    if not given:
        return not_applicable("No confidences are known.")
    wanted = facts.policy.min_confidence
    doubtful = sorted((name for name in given if facts.confidences[name] < wanted), key=lambda n: facts.confidences[n])
    if not doubtful:
        return passed(*given, expected=f"{wanted:.2f}")
    return failed(
        *doubtful,
        expected=f"{wanted:.2f}",
        actual=f"{facts.confidences[doubtful[0]]:.2f}",
        message=f"Read without certainty: {', '.join(doubtful)}. Compare with the document and confirm.",
    )


def nothing_left_open(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """EV-3: the readers themselves asked for a person."""
    if not facts.review_reasons:
        return passed()
    return failed(
        *sorted(facts.ambiguous_fields),
        message=f"The readers could not decide: {'; '.join(facts.review_reasons)}. Decide from the document.",
    )


RULES = (
    Rule("EV-1", 1, (ERROR,), (), "Every mandatory value that is printed can be read.", "必填项均清晰可读。",
         mandatory_is_legible, "this project"),
    Rule("EV-2", 1, (ERROR,), (), "Every mandatory value was read with enough confidence.", "必填项的识别置信度足够。",
         mandatory_is_certain, "this project"),
    Rule("EV-3", 1, (ERROR,), (), "The readers left nothing open that a person must decide.",
         "识别过程没有待人工判断的事项。", nothing_left_open, "this project"),
)  # fmt: skip

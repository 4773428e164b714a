"""Candidates of other readers beside those of the page: exact data wins, a vision model only votes.

XML, OFD, embedded CII and QR data are taken before what stands on the page; where they disagree both stay and a person
is asked. A vision model's answer that the page confirms raises confidence; one that the page does not confirm is kept
for the clerk and never becomes the value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from hunyuan_ocr.model.evidence import Candidate, FieldState, FieldValue, Source
from hunyuan_ocr.model.invoice import DocumentKind
from hunyuan_ocr.model.parsing.text import fold

_TRUST = {source: rank for rank, source in enumerate(Source)}
_EXACT = frozenset({Source.HUMAN, Source.XML, Source.OFD, Source.CII, Source.QR})
_MOST_OTHERS = 5
_AGREEMENT = 0.5


def same_value(first: str, second: str) -> bool:
    """True for equal numbers however written, else for equal text after folding case, width and spaces."""
    try:
        return Decimal(first) == Decimal(second)
    except InvalidOperation:
        return fold(first).replace(" ", "") == fold(second).replace(" ", "")


def _rank(candidate: Candidate) -> tuple[int, float]:
    first = -1 if candidate.source is Source.HUMAN else _TRUST[candidate.source]
    return first, -candidate.confidence


def weigh_candidates(
    values: dict[str, FieldValue],
    candidates: Sequence[Candidate],
    kind: DocumentKind,
    ask: Callable[[str, str], None],
) -> DocumentKind:
    """Put the candidates beside the values read from the page, in place; gives the kind of document they make it.

    A ``document_kind`` candidate of an exact source decides the kind.
    """
    by_path: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_path[candidate.field_path].append(candidate)
    for stated in sorted(by_path.pop("document_kind", ()), key=_rank):
        if stated.source in _EXACT and stated.value_norm in set(DocumentKind):
            kind = DocumentKind(stated.value_norm)
            break
    for path, offered in by_path.items():
        values[path] = _weighed(path, values.get(path), sorted(offered, key=_rank), ask)
    return kind


def _weighed(
    path: str, page: FieldValue | None, offered: Sequence[Candidate], ask: Callable[[str, str], None]
) -> FieldValue:
    printed = page.chosen if page is not None else None
    exact = [candidate for candidate in offered if candidate.source in _EXACT]
    kept = page.others if page is not None else ()
    if exact:
        best = exact[0]
        rest = [candidate for candidate in offered if candidate is not best]
        beside = ([printed] if printed is not None else []) + rest
        dissent = [other for other in beside if not same_value(other.value_norm, best.value_norm)]
        if dissent and not path.startswith(("lines[", "tax_breakdown[")):
            ask("SOURCES_DISAGREE", f"{path}: {best.source} and {dissent[0].source} do not say the same")
        reason = f"{best.source} is exact" + (", another source disagrees" if dissent else "")
        return FieldValue(path, FieldState.PRESENT, best, (*beside, *kept)[:_MOST_OTHERS], reason)
    if printed is None:
        reason = page.reason if page is not None and page.reason else "no evidence on the page for the model's answer"
        state = page.state if page is not None else FieldState.ABSENT
        return FieldValue(path, state, None, (*offered, *kept)[:_MOST_OTHERS], reason)
    agreeing = [other for other in offered if same_value(other.value_norm, printed.value_norm)]
    if agreeing:
        confidence = 1 - (1 - printed.confidence) * _AGREEMENT
        chosen = replace(printed, confidence=round(confidence, 4))
        return FieldValue(path, page.state if page else FieldState.PRESENT, chosen, (*offered, *kept)[:_MOST_OTHERS],
                          "page and model agree")  # fmt: skip
    ask("MODEL_DISAGREES", f"{path}: the page and the vision model do not say the same")
    return FieldValue(
        path,
        page.state if page else FieldState.PRESENT,
        replace(printed, confidence=round(printed.confidence * 0.9, 4)),
        (*offered, *kept)[:_MOST_OTHERS],
        "the vision model says something else",
    )

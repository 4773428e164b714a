"""Candidates of exact sources beside those of the page: XML, OFD, embedded CII and QR data are taken before it.

Where they disagree both stay and a person is asked. A vision model's answer is no exact source: it is handed on as a
vote (``model_votes``), and says nothing against exact data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation

from hunyuan_ocr.model.evidence import Candidate, FieldState, FieldValue, Source
from hunyuan_ocr.model.invoice import DocumentKind
from hunyuan_ocr.model.parsing.text import fold

_TRUST = {source: rank for rank, source in enumerate(Source)}
_EXACT = frozenset({Source.HUMAN, Source.XML, Source.OFD, Source.CII, Source.QR})
_MOST_OTHERS = 5


def same_value(first: str, second: str) -> bool:
    """True for equal numbers however written, else for equal text after folding case, width and spaces."""
    try:
        return Decimal(first) == Decimal(second)
    except InvalidOperation:
        return fold(first).replace(" ", "") == fold(second).replace(" ", "")


def _rank(candidate: Candidate) -> tuple[int, float]:
    first = -1 if candidate.source is Source.HUMAN else _TRUST[candidate.source]
    return first, -candidate.confidence


def take_exact(
    values: dict[str, FieldValue],
    candidates: Sequence[Candidate],
    kind: DocumentKind,
    ask: Callable[[str, str], None],
) -> tuple[DocumentKind, tuple[Candidate, ...]]:
    """Put the exact candidates over the values read from the page, in place.

    Gives the kind of document they make it (a ``document_kind`` candidate of an exact source decides it) and the votes
    left to weigh: all answers of a vision model on fields that no exact source settles.
    """
    by_path: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_path[candidate.field_path].append(candidate)
    for stated in sorted(by_path.pop("document_kind", ()), key=_rank):
        if stated.source in _EXACT and stated.value_norm in set(DocumentKind):
            kind = DocumentKind(stated.value_norm)
            break
    votes: list[Candidate] = []
    for path, offered in by_path.items():
        ranked = sorted(offered, key=_rank)
        if ranked[0].source in _EXACT:
            values[path] = _exact_value(path, values.get(path), ranked, ask)
        else:
            votes.extend(ranked)
    return kind, tuple(votes)


def _exact_value(
    path: str, page: FieldValue | None, ranked: Sequence[Candidate], ask: Callable[[str, str], None]
) -> FieldValue:
    best, *rest = ranked
    printed = page.chosen if page is not None else None
    kept = page.others if page is not None else ()
    beside = ([printed] if printed is not None else []) + rest
    dissent = [other for other in beside if not same_value(other.value_norm, best.value_norm)]
    told = [other for other in dissent if other.source is not Source.VLM]
    if told and not path.startswith(("lines[", "tax_breakdown[")):
        ask("SOURCES_DISAGREE", f"{path}: {best.source} and {told[0].source} do not say the same")
    reason = f"{best.source} is exact" + (", another source disagrees" if dissent else "")
    return FieldValue(path, FieldState.PRESENT, best, (*beside, *kept)[:_MOST_OTHERS], reason)

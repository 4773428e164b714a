"""What kind of document this is, told from its own page: its title, its labels, the words that speak against it.

A page is accepted as an invoice only when it looks like one. A title beats labels, a large title beats a small one,
and the longest title wins ("Gutschrift (selbst ausgestellte Rechnung)" is an invoice, "Gutschrift" is not).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.extraction.labels import may_end, may_start
from hunyuan_ocr.extraction.layout import Chunk, Layout, is_cjk, key_of
from hunyuan_ocr.extraction.prompts import PromptProfile, invoice_profiles
from hunyuan_ocr.model.invoice import DocumentKind

_MIN_SCORE = 4.0
_KIND_TITLE = 4.0
_TITLE_ZONE = 450.0
_STRONG_TITLE = 1.9
_TILL_ROLL_ASPECT = 1.75
_TILL_ROLL_BONUS = 2.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The chosen profile and kind. ``score`` is the sum of recognised words; ``reasons`` say what decided, in words.

    ``is_undecided``: nothing spoke against an invoice, but too little for one. ``has_title``: its best title is that of
    an invoice, a credit note or a receipt; ``has_other_title``: of something else, though not a large one.
    """

    profile: PromptProfile
    kind: DocumentKind
    score: float
    reasons: tuple[str, ...] = ()
    is_undecided: bool = False
    has_title: bool = False
    has_other_title: bool = False


@dataclass(frozen=True, slots=True)
class _Title:
    kind: DocumentKind
    key: str
    prominence: float


def classify(
    layout: Layout, profiles: Sequence[PromptProfile], *, aspect: float = 1.414, profile_name: str | None = None
) -> Verdict:
    """The profile whose words the document has, and the document's kind.

    ``aspect`` is height by width of the first page: a till roll is long and narrow. ``profile_name`` fixes the
    profile (an unknown one raises ``ConfigurationError``); the kind is still read from the page. Profiles that keep
    text instead of fields are chosen only by name, and make no invoice.
    """
    if profile_name is not None:
        by_code = {profile.code: profile for profile in profiles}
        if profile_name not in by_code:
            known = ", ".join(sorted(by_code))
            raise ConfigurationError(f"there is no prompt profile {profile_name}. Use one of: {known}.")
        profile = by_code[profile_name]
        if not profile.makes_invoices:
            return Verdict(profile, DocumentKind.OTHER, 0.0, (f"it was read for its text ({profile.task})",))
        score = _score(layout, profile, aspect)
    else:
        profiles = invoice_profiles(profiles)
        scores = [(_score(layout, profile, aspect), profile) for profile in profiles]
        score, profile = max(scores, key=lambda pair: pair[0])
    related = [profile, *(other for other in profiles if other.code in profile.also_labels_of)]
    if score < _MIN_SCORE and profile_name is None:
        related = list(profiles)
    title = _best_title(layout, related)
    if title is not None and title.kind is DocumentKind.OTHER and title.prominence >= _STRONG_TITLE:
        return Verdict(profile, DocumentKind.OTHER, score, ("the title is not that of an invoice",))
    if title is not None and title.kind is DocumentKind.STATEMENT and title.prominence >= _STRONG_TITLE:
        return Verdict(profile, DocumentKind.STATEMENT, score, ("the title is that of a statement or reminder",))
    has_invoice_title = title is not None and title.kind is not DocumentKind.OTHER
    if score < _MIN_SCORE and not (has_invoice_title and score >= _MIN_SCORE / 2):
        reason = "neither the title nor the labels of an invoice are on it"
        is_other = title is not None and title.kind in (DocumentKind.OTHER, DocumentKind.STATEMENT)
        return Verdict(profile, DocumentKind.OTHER, score, (reason,), is_undecided=True, has_other_title=is_other)
    kind = profile.document_kind
    if title is not None and title.kind in (DocumentKind.CREDIT_NOTE, DocumentKind.DEBIT_NOTE, DocumentKind.RECEIPT):
        kind = title.kind
    if profile.document_kind is DocumentKind.RECEIPT and kind is not DocumentKind.CREDIT_NOTE:
        kind = DocumentKind.RECEIPT
    is_other = title is not None and title.kind in (DocumentKind.OTHER, DocumentKind.STATEMENT)
    return Verdict(profile, kind, score, has_title=title is not None and not is_other, has_other_title=is_other)


def _chunks(layout: Layout) -> Iterable[tuple[int, Chunk]]:
    for row_no, row in enumerate(layout.rows):
        for chunk in row.chunks:
            yield row_no, chunk


def contains(chunk: Chunk, key: str) -> int:
    """The folded place where a whole-word ``key`` stands in the chunk, or -1."""
    place = chunk.folded.find(key)
    while place >= 0:
        if may_start(chunk, place) and may_end(chunk, place + len(key)):
            return place
        place = chunk.folded.find(key, place + 1)
    return -1


def _score(layout: Layout, profile: PromptProfile, aspect: float) -> float:
    score = 0.0
    first_page = layout.pages[0].page_no if layout.pages else 1
    titles = {
        key_of(text): _KIND_TITLE
        for kind, texts in profile.recognise.kinds.items()
        if kind in (DocumentKind.CREDIT_NOTE, DocumentKind.DEBIT_NOTE)
        for text in texts
    }
    titles |= {key_of(text): weight for text, weight in profile.recognise.titles.items()}
    best_title = 0.0
    for _, chunk in _chunks(layout):
        if chunk.page_no != first_page or len(chunk.folded) > 60:
            continue
        for key, weight in titles.items():
            place = contains(chunk, key)
            if place < 0:
                continue
            share = len(key) / max(len(chunk.folded), 1)
            best_title = max(best_title, weight * (1.0 if place == 0 or is_cjk(key[0]) else 0.6) * (0.5 + 0.5 * share))
    score += best_title
    for words, sign in ((profile.recognise.anchors, 1.0), (profile.recognise.against, -1.0)):
        for text, weight in words.items():
            key = key_of(text)
            if key and any(contains(chunk, key) >= 0 for _, chunk in _chunks(layout)):
                score += sign * weight
    if profile.document_kind is DocumentKind.RECEIPT and profile.locale.country is None and aspect > _TILL_ROLL_ASPECT:
        score += _TILL_ROLL_BONUS
    return score


def _titles(profiles: Sequence[PromptProfile]) -> dict[str, DocumentKind]:
    kinds: dict[str, DocumentKind] = {}
    for profile in profiles:
        for kind, texts in profile.recognise.kinds.items():
            for text in texts:
                kinds.setdefault(key_of(text), kind)
    for profile in profiles:
        for text in profile.recognise.titles:
            kinds.setdefault(key_of(text), profile.document_kind)
    return kinds


def _best_title(layout: Layout, profiles: Sequence[PromptProfile]) -> _Title | None:
    kinds = _titles(profiles)
    keys = sorted(kinds, key=len, reverse=True)
    best: _Title | None = None
    for row_no, chunk in _chunks(layout):
        if chunk.page_no != layout.pages[0].page_no or chunk.box.y0 > _TITLE_ZONE or len(chunk.folded) > 70:
            continue
        for key in keys:
            if not chunk.folded.startswith(key) and contains(chunk, key) != 0:
                continue
            if not may_end(chunk, len(key)):
                continue
            title = _Title(kinds[key], key, _prominence(layout, chunk, key, row_no))
            if best is None or title.prominence > best.prominence:
                best = title
            break
    return best


def _prominence(layout: Layout, chunk: Chunk, key: str, row_no: int) -> float:
    """1 is ordinary text; a title is larger, alone on its line, near the top, in capitals."""
    page = layout.page(chunk.page_no)
    size = min(chunk.box.height / page.line, 3.0)
    alone = len(key) >= 0.9 * len(chunk.folded)
    prominence = size * (1.0 if alone else 0.75)
    if chunk.text.isupper() and alone:
        prominence *= 1.2
    if chunk.box.y0 < 200 or row_no < 5:
        prominence *= 1.3
    if alone and len(layout.rows[row_no].chunks) == 1:
        prominence *= 1.25
    return prominence

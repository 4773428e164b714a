"""One evaluation: every document of a manifest is read and scored, whatever becomes of it.

A document that cannot be read counts as all missing and is listed with its reason; nothing a document does stops the
run. How a document is read is the caller's function: it runs without Airflow and without a database.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hunyuan_ocr.evaluation.manifest import Group, LabelledDocument, Manifest
from hunyuan_ocr.evaluation.scoring import FIELD_NAMES, KEY_FIELDS, FieldScore, Outcome, best_score
from hunyuan_ocr.exceptions import DocumentError
from hunyuan_ocr.model.invoice import Invoice


class HasInvoice(Protocol):
    """What reading a document gives: anything with an ``invoice``, such as the extraction's result."""

    @property
    def invoice(self) -> Invoice: ...


ReadDocument = Callable[[Path], HasInvoice | Sequence[HasInvoice]]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many fields came out how."""

    exact: int = 0
    missing: int = 0
    wrong: int = 0
    invented: int = 0

    @classmethod
    def of(cls, scores: Iterable[FieldScore]) -> Tally:
        counts = Counter(score.outcome for score in scores)
        return cls(*(counts[outcome] for outcome in (Outcome.EXACT, Outcome.MISSING, Outcome.WRONG, Outcome.INVENTED)))

    @property
    def stated(self) -> int:
        """Fields for which the truth has a value."""
        return self.exact + self.missing + self.wrong

    @property
    def given(self) -> int:
        """Values given that the truth can judge."""
        return self.exact + self.wrong + self.invented

    @property
    def exact_share(self) -> float | None:
        """Of the stated values, how many were found; ``None`` when none is stated."""
        return self.exact / self.stated if self.stated else None

    @property
    def error_share(self) -> float | None:
        """Of the values given, how many are wrong or invented; ``None`` when none was given."""
        return (self.wrong + self.invented) / self.given if self.given else None

    def as_dict(self) -> dict[str, Any]:
        return {
            "stated": self.stated,
            "exact": self.exact,
            "missing": self.missing,
            "wrong": self.wrong,
            "invented": self.invented,
            "exact_share": self.exact_share,
            "error_share": self.error_share,
        }


@dataclass(frozen=True, slots=True)
class DocumentResult:
    """What became of one document. ``unread`` says why it could not be read, empty when it was."""

    file: str
    kind: str
    group: Group
    scores: tuple[FieldScore, ...]
    unread: str = ""
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class EvalReport:
    """The results of one evaluation, in the manifest's order."""

    manifest: str
    documents: tuple[DocumentResult, ...]

    def tally(
        self, *, fields: Sequence[str] | None = None, groups: Sequence[Group] | None = None, kind: str | None = None
    ) -> Tally:
        """The counts over all documents, or over those of some groups or one kind, for all or for some fields."""
        return Tally.of(
            score
            for document in self.documents
            if (groups is None or document.group in groups) and (kind is None or document.kind == kind)
            for score in document.scores
            if fields is None or score.field in fields
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(document.kind for document in self.documents))

    def to_json(self) -> str:
        """The report as JSON: totals, groups, kinds, fields, and every document with its fields. Holds field values."""
        content = {
            "manifest": self.manifest,
            "total": self.tally().as_dict(),
            "key_fields": list(KEY_FIELDS),
            "groups": {
                group.value: {
                    "documents": sum(document.group is group for document in self.documents),
                    "unread": sum(document.group is group and bool(document.unread) for document in self.documents),
                    "all_fields": self.tally(groups=[group]).as_dict(),
                    "key_fields": self.tally(groups=[group], fields=KEY_FIELDS).as_dict(),
                }
                for group in Group
            },
            "kinds": {kind: self.tally(kind=kind).as_dict() for kind in self.kinds},
            "fields": {
                name: {
                    "all": self.tally(fields=[name]).as_dict(),
                    **{group.value: self.tally(fields=[name], groups=[group]).as_dict() for group in Group},
                }
                for name in FIELD_NAMES
            },
            "documents": [_as_dict(document) for document in self.documents],
        }
        return json.dumps(content, ensure_ascii=False, indent=1)


def evaluate(manifest: Manifest, read: ReadDocument, progress: Progress | None = None) -> EvalReport:
    """Read and score every document of a manifest.

    ``read`` gets a path and answers with one extraction or several (a file may hold several invoices); whatever it
    raises makes the document unread. ``progress`` is told how many documents of how many are done, and the last one.
    """
    results = []
    for done, document in enumerate(manifest.documents, start=1):
        results.append(_evaluated(document, read))
        if progress is not None:
            progress(done, len(manifest.documents), document.file)
    return EvalReport(str(manifest.path), tuple(results))


def _evaluated(document: LabelledDocument, read: ReadDocument) -> DocumentResult:
    started = time.monotonic()
    unread, invoices = "", list[Invoice]()
    try:
        answer = read(document.path)
        extractions = answer if isinstance(answer, Sequence) else [answer]
        invoices = [extraction.invoice for extraction in extractions]
    except DocumentError as error:
        unread = f"{error.reason_code}: {error}"
    except Exception as error:  # an evaluation tells of the reader's own faults instead of dying of them
        unread = f"fault of the reader: {type(error).__name__}: {error}"
    if not invoices and not unread:
        unread = "the reader found no invoice"
    return DocumentResult(
        file=document.file,
        kind=document.kind,
        group=document.group,
        scores=best_score(document.truths, invoices),
        unread=unread,
        seconds=time.monotonic() - started,
    )


def _as_dict(document: DocumentResult) -> dict[str, Any]:
    return {
        "file": document.file,
        "kind": document.kind,
        "group": document.group.value,
        "unread": document.unread,
        "seconds": round(document.seconds, 3),
        "fields": [
            {
                "field": score.field,
                "outcome": score.outcome.value,
                "expected": score.expected,
                "actual": score.actual,
            }
            for score in document.scores
        ],
    }

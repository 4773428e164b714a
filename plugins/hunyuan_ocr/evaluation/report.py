"""The evaluation as text tables: by group, by field, by kind, what could not be read, and on request each error.

Only the listing of errors holds field values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hunyuan_ocr.evaluation.manifest import Group
from hunyuan_ocr.evaluation.run import DocumentResult, EvalReport, Tally
from hunyuan_ocr.evaluation.scoring import FIELD_NAMES, KEY_FIELDS, Outcome

_PICTURES = (Group.SCAN_PHOTO, Group.RECEIPT)
_COUNTS = ("stated", "exact", "missing", "wrong", "invented", "exact %", "errors %")


def render(report: EvalReport, *, verbose: bool = False) -> str:
    """The report as text. ``verbose`` adds, document by document, every field that is not exact."""
    parts = [
        _title(report),
        _table("all fields, by group", _group_rows(report, None)),
        _table("key fields, by group", _group_rows(report, KEY_FIELDS)),
        _table("by field", _field_rows(report)),
        _exact_by_field_and_group(report),
        _table("by kind of document", ((kind, report.tally(kind=kind)) for kind in report.kinds)),
        _unread(report.documents),
    ]
    if verbose:
        parts.append(_errors(report.documents))
    parts.append(
        f"key fields: {', '.join(KEY_FIELDS)}. exact %: of the stated values, found exactly. "
        "errors %: of the values given, wrong or invented. "
        "Only what the truth states is scored."
    )
    return "\n\n".join(parts) + "\n"


def _title(report: EvalReport) -> str:
    unread = sum(bool(document.unread) for document in report.documents)
    seconds = sum(document.seconds for document in report.documents)
    return f"{report.manifest}: {len(report.documents)} documents, {unread} not read, {seconds:.1f} s"


def _group_rows(report: EvalReport, fields: Sequence[str] | None) -> list[tuple[str, Tally]]:
    rows = [(group.value, report.tally(groups=[group], fields=fields)) for group in Group]
    rows.append(("all pictures", report.tally(groups=_PICTURES, fields=fields)))
    rows.append(("all", report.tally(fields=fields)))
    return rows


def _field_rows(report: EvalReport) -> list[tuple[str, Tally]]:
    return [(name, report.tally(fields=[name])) for name in FIELD_NAMES]


def _exact_by_field_and_group(report: EvalReport) -> str:
    groups = [group for group in Group if report.tally(groups=[group]).stated]
    rows = [["exact of stated, by field and group", *(group.value for group in groups)]]
    for name in FIELD_NAMES:
        tallies = [report.tally(fields=[name], groups=[group]) for group in groups]
        if any(tally.stated for tally in tallies):
            rows.append([name, *(f"{tally.exact}/{tally.stated}" if tally.stated else "-" for tally in tallies)])
    return _aligned(rows)


def _table(title: str, rows: Iterable[tuple[str, Tally]]) -> str:
    cells = [[title, *_COUNTS]]
    for name, tally in rows:
        if tally.stated or tally.given:
            counts = (tally.stated, tally.exact, tally.missing, tally.wrong, tally.invented)
            shares = (_percent(tally.exact_share), _percent(tally.error_share))
            cells.append([name, *map(str, counts), *shares])
    return _aligned(cells)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.1f}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        name, *numbers = row
        cells = [name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join(lines)


def _unread(documents: Sequence[DocumentResult]) -> str:
    lines = [f"  {document.file} ({document.kind}): {document.unread}" for document in documents if document.unread]
    return "\n".join(["not read", *(lines or ["  none"])])


def _errors(documents: Sequence[DocumentResult]) -> str:
    lines = ["fields that are not exact"]
    for document in documents:
        faults = [score for score in document.scores if score.outcome is not Outcome.EXACT]
        if faults and not document.unread:
            lines.append(f"  {document.file}")
            lines += [
                f"    {score.field}: {score.outcome.value}, expected {score.expected!r}, got {score.actual!r}"
                for score in faults
            ]
    return "\n".join(lines)

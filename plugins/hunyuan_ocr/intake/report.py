"""Report: what a run brought, for the log (counts) and for people (what was rejected, and why)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from hunyuan_ocr.intake.run import IntakeRun
from hunyuan_ocr.intake.stores import Intake
from hunyuan_ocr.intake.validate import run_name
from hunyuan_ocr.staging.lifecycle import Status
from hunyuan_ocr.staging.rows import BatchSummary
from hunyuan_ocr.validation.suite import docs_page_name

#: An alert lists at most so many documents; the view has them all.
MAX_LISTED = 50


@dataclass(frozen=True)
class Reason:
    """Why a document is not staged, and what to do about it."""

    rule_id: str
    message: str


@dataclass
class Attention:
    """A document somebody has to look at."""

    document: str
    source_code: str
    status: str
    reasons: list[Reason] = field(default_factory=list)


@dataclass(frozen=True)
class RunReport:
    """What people are told about a run. ``is_news`` is false when the same was told before, or nothing is wrong."""

    batch_id: str
    dag_id: str
    run_id: str
    counts: dict[str, int]
    attention: tuple[Attention, ...]
    omitted: int
    links: Mapping[str, str]
    fingerprint: str
    is_news: bool

    @property
    def headline(self) -> str:
        """The run in one sentence."""
        told = {"staged": "staged", "review": "for review", "quarantined": "set aside", "duplicate": "duplicate"}
        parts = [f"{self.counts[key]} {words}" for key, words in told.items() if self.counts.get(key)]
        return f"{self.dag_id}: {', '.join(parts) or 'nothing arrived'}."

    @property
    def subject(self) -> str:
        rejected = self.counts.get("review", 0) + self.counts.get("quarantined", 0) + self.counts.get("lost", 0)
        return f"{rejected} of {self.counts['invoices']} invoices need attention ({self.run_id})"


def report(intake: Intake, run: IntakeRun, links: Mapping[str, str]) -> RunReport:
    """Close the batch with its counts and say what a person should know."""
    batch = intake.batch(run)
    summary = intake.store.batch_summary(batch)
    intake.store.close_batch(batch, failed=bool(summary.lost))
    attention = _attention(summary)
    fingerprint = hashlib.sha256(
        "\n".join(sorted(f"{row.document}|{row.status}|{r.rule_id}" for row in attention for r in row.reasons)).encode()
    ).hexdigest()
    return RunReport(
        batch_id=batch,
        dag_id=run.dag_id,
        run_id=run.run_id,
        counts=summary_counts(summary),
        attention=tuple(attention[:MAX_LISTED]),
        omitted=max(0, len(attention) - MAX_LISTED),
        links=dict(links) | _docs_link(intake, run),
        fingerprint=fingerprint,
        is_news=bool(attention) and intake.store.alerted_fingerprint(batch) != fingerprint,
    )


def summary_counts(summary: BatchSummary) -> dict[str, int]:
    """The run in numbers."""
    by_status = {status.value.lower(): number for status, number in summary.by_status.items() if number}
    return {
        "items": summary.items,
        "documents": summary.documents,
        "ignored": len(summary.ignored),
        "invoices": sum(summary.by_status.values()),
        **by_status,
        "duplicate": summary.by_status.get(Status.DUPLICATE, 0) + summary.duplicates,
        "lost": len(summary.lost),
    }


def _attention(summary: BatchSummary) -> list[Attention]:
    rows: dict[str, Attention] = {}
    for rejected in summary.rejections:
        row = rows.setdefault(
            rejected.invoice_id, Attention(rejected.file_name, rejected.source_code, Status.REVIEW.value)
        )
        row.reasons.append(Reason(rejected.rule_id, rejected.message))
    quarantined = [
        Attention(each.file_name, each.source_code, Status.QUARANTINED.value, [_reason_of(each.status_reason)])
        for each in summary.quarantined
    ]
    lost = [
        Attention(
            name, "", "LOST", [Reason("LOST", "A step did not finish it. Clear the failed task and run it again.")]
        )
        for name in summary.lost
    ]
    return [*lost, *rows.values(), *quarantined]


def _reason_of(status_reason: str) -> Reason:
    code, _, message = status_reason.partition(": ")
    return Reason(code, message)


def _docs_link(intake: Intake, run: IntakeRun) -> dict[str, str]:
    page = docs_page_name(run_name(run))
    path = intake.settings.data_docs_dir / page
    if not path.is_file():
        return {}
    base = intake.settings.data_docs_url
    return {"Validation report": f"{base.rstrip('/')}/{page}" if base else path.absolute().as_uri()}

"""Reads documents that are no part of an intake: for the command line, the evaluation and tasks of your own DAGs.

Nothing enters the ledger, the journal or the staging tables. Pages with a text layer are read from it, the others by
the engine of the settings; a profile that keeps text (translation, parsing) has every page looked at.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from hunyuan_ocr.engines.base import Answer
from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.extraction.examiner import PageExaminer, document_text
from hunyuan_ocr.extraction.pipeline import PageJob
from hunyuan_ocr.extraction.prompts import PromptProfile
from hunyuan_ocr.extraction.reconcile import reconcile
from hunyuan_ocr.intake.hunyuan import Desk, ModelAccess, in_a_loop, started
from hunyuan_ocr.intake.problems import as_problem
from hunyuan_ocr.intake.results import DocumentResult, NamedDocument
from hunyuan_ocr.intake.stores import page_budget
from hunyuan_ocr.model.answers import PageAnswer
from hunyuan_ocr.model.geometry import Reading
from hunyuan_ocr.readers.document import inspect, read_document
from hunyuan_ocr.readers.hunyuan import PageResult
from hunyuan_ocr.readers.rapid import RapidReader
from hunyuan_ocr.settings import Settings

log = logging.getLogger(__name__)

#: So many documents are in memory at once, and their pages mixed, when the model reads.
_TOGETHER = 64


@dataclass(frozen=True, slots=True)
class Wish:
    """How documents are to be read: a fixed profile, and what HunyuanOCR is asked besides."""

    profile: str | None = None
    instruction: str = ""
    extra_keys: tuple[str, ...] = ()


def read_documents(
    documents: Iterable[NamedDocument],
    settings: Settings,
    profiles: Sequence[PromptProfile],
    model: ModelAccess | None = None,
    wish: Wish = Wish(),
    log: Any = log,
) -> Iterator[DocumentResult]:
    """Read documents as they come; one result each, in order. What is wrong with one document stays with it.

    ``model`` opens the engine of the settings and is needed for every engine but RapidOCR. Raises what is no
    document's fault: ConfigurationError (unknown profile, one that RapidOCR cannot serve) and what engines raise.
    """
    known = {profile.code: profile for profile in profiles}
    if wish.profile and wish.profile not in known:
        raise ConfigurationError(f"There is no prompt profile {wish.profile}: known are {', '.join(sorted(known))}.")
    keeps_text = bool(wish.profile and not known[wish.profile].makes_invoices)
    if settings.engine.is_model:
        if model is None:
            raise TypeError(f"engine {settings.engine} needs somebody to open it")
        yield from _by_model(documents, settings, profiles, model, wish, keeps_text, log)
        return
    if keeps_text:
        raise ConfigurationError(
            f"Prompt profile {wish.profile} needs HunyuanOCR: set [hunyuan_ocr] engine or name one on the command line."
        )
    budget = page_budget(settings)
    reader = RapidReader(threads=settings.ocr_threads or None, budget=budget)
    for document in documents:
        with _Verdict(document.name) as verdict:
            readings = read_document(document.raw, document.media_type, reader, budget, file_name=document.name)
            extraction = reconcile(readings, profiles=profiles, profile_name=wish.profile)
            verdict.result = DocumentResult(document.name, len(readings), extraction)
        yield verdict.result


@dataclass(slots=True)
class _Seen:
    """What is known of one document while its pages are read."""

    document: NamedDocument
    sha256: str
    readings: dict[int, Reading] = field(default_factory=dict)
    answers: list[PageAnswer] = field(default_factory=list)
    problem: Exception | None = None


def _by_model(
    documents: Iterable[NamedDocument],
    settings: Settings,
    profiles: Sequence[PromptProfile],
    model: ModelAccess,
    wish: Wish,
    keeps_text: bool,
    log: Any,
) -> Iterator[DocumentResult]:
    results: list[DocumentResult] = []

    async def work() -> None:
        remaining = iter(documents)
        async with AsyncExitStack() as opened:
            desk: Desk | None = None
            while group := list(islice(remaining, _TOGETHER)):
                seen, jobs = _looked_at(group, settings, keeps_text)
                if jobs:
                    # Not before: where every page has a text layer, no model is needed.
                    if desk is None:
                        desk = await opened.enter_async_context(started(settings, model, _knows_nothing, log))
                    await _read(seen, jobs, desk, profiles, wish)
                results.extend(_result(one, profiles, wish, keeps_text) for one in seen)

    in_a_loop(work, model.can_be_stopped)
    yield from results


def _looked_at(
    group: Sequence[NamedDocument], settings: Settings, keeps_text: bool
) -> tuple[list[_Seen], list[PageJob]]:
    """What the documents say by themselves, and the pages somebody has to look at; equal documents once."""
    budget, jobs, known = page_budget(settings), [], set()
    seen = [_Seen(document, hashlib.sha256(document.raw).hexdigest()) for document in group]
    for one in seen:
        document = one.document
        try:
            pages = inspect(document.raw, document.media_type, file_name=document.name, budget=budget)
        except Exception as error:
            one.problem = error
            continue
        one.readings |= {page.page_no: page.reading for page in pages.pages if page.reading is not None}
        if one.sha256 not in known:
            known.add(one.sha256)
            wanted = [page.page_no for page in pages.pages] if keeps_text else pages.page_numbers_for_eyes
            jobs += [PageJob(one.sha256, page_no, document.media_type, document.name) for page_no in wanted]
    return seen, jobs


async def _read(
    seen: Sequence[_Seen], jobs: Sequence[PageJob], desk: Desk, profiles: Sequence[PromptProfile], wish: Wish
) -> None:
    by_hash: dict[str, list[_Seen]] = defaultdict(list)
    for one in seen:
        by_hash[one.sha256].append(one)

    def commit(job: PageJob, result: PageResult) -> None:
        for one in by_hash[job.content_sha256]:
            one.readings[job.page_no] = result.reading
            one.answers += [answer for answer in result.answers if answer.is_kept]

    def set_aside(job: PageJob, error: Exception) -> None:
        for one in by_hash[job.content_sha256]:
            one.problem = error

    examiner = PageExaminer(
        profiles,
        desk.settings.model_spec.family,
        profile_name=wish.profile,
        extra_keys=wish.extra_keys,
        instruction=wish.instruction,
    )
    await desk.read(
        jobs,
        examiner,
        reading_key=f"hunyuan/{desk.settings.model_spec.key}",
        load=lambda sha256: by_hash[sha256][0].document.raw,
        commit=commit,
        set_aside=set_aside,
    )


def _result(one: _Seen, profiles: Sequence[PromptProfile], wish: Wish, keeps_text: bool) -> DocumentResult:
    name = one.document.name
    with _Verdict(name) as verdict:
        if one.problem is not None:
            raise one.problem
        readings = [one.readings[page_no] for page_no in sorted(one.readings)]
        answers = sorted(one.answers, key=lambda answer: answer.page_no)
        if keeps_text:
            verdict.result = DocumentResult(name, len(readings), text=document_text(answers))
        else:
            extraction = reconcile(readings, profiles=profiles, profile_name=wish.profile, answers=answers)
            verdict.result = DocumentResult(name, len(readings), extraction)
    return verdict.result


def _knows_nothing(key: str) -> Answer | None:
    return None


class _Verdict:
    """Makes of an error in the block a result that says so; what is no document's fault is raised on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.result = DocumentResult(name)

    def __enter__(self) -> _Verdict:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Exception):
            return False
        self.result = DocumentResult(self.name, problem=as_problem(error, self.name, self.name))
        return True

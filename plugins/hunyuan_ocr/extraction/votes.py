"""From a vision model's field answers to votes: one per label asked for and page, and nothing more than a vote.

Each label goes back to the field it stands for; what has no single value, or is only the label again, is a note and no
vote. Keys that a person asked for beyond the profile are given back with what the page says about them. Which value is
right is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hunyuan_ocr.extraction.agreement import readings_of, value_type
from hunyuan_ocr.extraction.answers import FieldAnswer, parse_fields
from hunyuan_ocr.extraction.context import Context, read_context
from hunyuan_ocr.extraction.field_answers import DUPLICATE, LABEL_ECHO, LIST
from hunyuan_ocr.extraction.layout import Layout, build_layout, key_of
from hunyuan_ocr.extraction.printed import PrintedText
from hunyuan_ocr.extraction.prompts import PromptProfile, ValueType
from hunyuan_ocr.extraction.questions import paths_of_keys
from hunyuan_ocr.model.answers import PageAnswer, Task
from hunyuan_ocr.model.evidence import Candidate, FieldState, FieldValue, Source
from hunyuan_ocr.model.geometry import Reading
from hunyuan_ocr.model.parsing.dates import parse_date
from hunyuan_ocr.model.parsing.money import parse_money
from hunyuan_ocr.model.parsing.text import squeeze

#: What one answer counts without the page: the model gives no confidence of its own.
VOTE_CONFIDENCE = 0.5
#: Field paths of what a person asked for beyond the profile begin with it.
EXTRA = "extra."
_LONGEST_PATH = 100
_BESIDE_ITS_LABEL = 0.8


@dataclass(frozen=True, slots=True)
class Votes:
    """What the field answers of one document come to.

    ``candidates`` are the votes (``Source.VLM``). ``notes`` say per field, as ``CODE: sentence``, why an answer is no
    vote. ``extra_values`` are the person's own keys, field path ``extra.<key>``: given when the page shows the value
    beside that label, else kept among the others with the reason. None of them holds for the invoice.
    """

    candidates: tuple[Candidate, ...] = ()
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    extra_values: tuple[FieldValue, ...] = ()


def votes_of(
    answers: Iterable[PageAnswer], profiles: Sequence[PromptProfile], readings: Sequence[Reading] | Layout
) -> Votes:
    """The votes in the field answers that were kept; answers to other tasks and of an unknown profile are left aside.

    ``readings`` are the document's pages (or their layout), where values of extra keys are looked up.
    """
    layout = readings if isinstance(readings, Layout) else build_layout(readings)
    by_code = {profile.code: profile for profile in profiles}
    candidates: list[Candidate] = []
    notes: dict[str, list[str]] = {}
    extra: dict[str, list[tuple[PageAnswer, FieldAnswer]]] = {}
    context_of = _contexts(layout)
    for answer in answers:
        profile = by_code.get(answer.profile)
        if answer.task is not Task.FIELDS or not answer.is_kept or not answer.keys or profile is None:
            continue
        said = parse_fields(answer.text, answer.keys)
        for key, paths in paths_of_keys(profile, answer.keys).items():
            value = _without_labels(said.values[key], profile)
            if not paths:
                extra.setdefault(key, []).append((answer, value))
                continue
            note = _note_on(value, paths)
            for path in paths:
                if note:
                    notes.setdefault(path, []).append(note)
            if value.raw is not None and len(paths) == 1:
                candidates.append(_vote(paths[0], key, value.raw, answer, profile, context_of))
    return Votes(
        tuple(candidates),
        {path: tuple(dict.fromkeys(found)) for path, found in notes.items()},
        tuple(_extra_value(key, said_of_key, layout) for key, said_of_key in extra.items()),
    )


def _without_labels(value: FieldAnswer, profile: PromptProfile) -> FieldAnswer:
    """Any label of the profile, not only the one asked for, is an echo and no value."""
    if value.raw is None:
        return value
    said = key_of(value.raw)
    labels = {key_of(label.text) for spec in profile.fields.values() for label in spec.labels}
    is_echo = said in labels or value.raw.rstrip().endswith((":", "："))
    return FieldAnswer(None, LABEL_ECHO, value.said) if is_echo else value


def _note_on(value: FieldAnswer, paths: tuple[str, ...]) -> str:
    if value.problem == LABEL_ECHO:
        return "LABEL_ECHO: the model answered with a label"
    if value.problem in (LIST, DUPLICATE):
        return "MODEL_SEVERAL: the model gave several values"
    if value.raw is not None and len(paths) > 1:
        return "MODEL_AMBIGUOUS_KEY: the label asked for stands for several fields"
    return ""


def _contexts(layout: Layout) -> Callable[[PromptProfile], Context]:
    """The document's notation by profile, read when the first ambiguous answer needs it."""
    known: dict[str, Context] = {}

    def context_of(profile: PromptProfile) -> Context:
        if profile.code not in known:
            known[profile.code] = read_context(layout, profile)
        return known[profile.code]

    return context_of


def _vote(
    path: str,
    key: str,
    raw: str,
    answer: PageAnswer,
    profile: PromptProfile,
    context_of: Callable[[PromptProfile], Context],
) -> Candidate:
    return Candidate(
        field_path=path,
        value_raw=raw,
        value_norm=_settled(raw, value_type(path, profile), lambda: context_of(profile)),
        source=Source.VLM,
        confidence=VOTE_CONFIDENCE,
        page_no=answer.page_no,
        label=key,
        reader_version=answer.engine_key,
    )


def _settled(raw: str, kind: ValueType, context: Callable[[], Context]) -> str:
    """The reading of the answer by the document's own notation; where it has none, the likelier one."""
    readings = readings_of(raw, kind)
    if len(readings) > 1 and kind is ValueType.MONEY and (amount := parse_money(raw, context().notation)) is not None:
        return format(amount.amount, "f")
    if len(readings) > 1 and kind is ValueType.DATE and (day := parse_date(raw, context().date_order)) is not None:
        return day.readings[0].isoformat()
    return readings[0] if readings else squeeze(raw)


def _extra_value(key: str, said: Sequence[tuple[PageAnswer, FieldAnswer]], layout: Layout) -> FieldValue:
    """One key of the person's own over all pages: the first answer that stands beside its label is given."""
    path = f"{EXTRA}{key}"[:_LONGEST_PATH]
    kept: list[Candidate] = []
    reason = "the model found no value"
    for answer, value in said:
        note = _note_on(value, (path,))
        if note:
            reason = note
        if value.raw is None:
            continue
        printed = PrintedText(layout, answer.page_no)
        place = printed.beside(key, value.raw)
        candidate = Candidate(
            path,
            value.raw,
            squeeze(value.raw),
            Source.VLM,
            _BESIDE_ITS_LABEL if place is not None else VOTE_CONFIDENCE,
            answer.page_no,
            place.box if place is not None else None,
            key,
            answer.engine_key,
        )
        if place is not None:
            return FieldValue(path, FieldState.PRESENT, candidate, tuple(kept), "printed beside this label")
        kept.append(candidate)
        if printed.holds(value.raw, ValueType.TEXT):
            reason = "MODEL_WRONG_SLOT: the page shows the model's answer, but not beside this label"
        else:
            reason = "MODEL_INVENTED: the page does not show the model's answer"
    return FieldValue(path, FieldState.ABSENT, None, tuple(kept), reason)

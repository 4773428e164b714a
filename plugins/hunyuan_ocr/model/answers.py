"""What a vision model was asked about a page and what it said: the record kept of every attempt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Task(StrEnum):
    """What a question is for."""

    SPOTTING = "spotting"
    FIELDS = "fields"
    TABLE = "table"
    PARSING = "parsing"
    TRANSLATION = "translation"


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """One question about one page and its answer, as the journal keeps it.

    ``attempt`` counts the pictures of the page from 1 (more pixels, another rotation); all answers about one picture
    share it, and ``is_kept`` marks those of the picture the reading was taken from. ``keys`` are the labels asked for,
    in order (fields only). ``rotation`` is how many degrees clockwise the stored page was turned. ``finish_reason`` is
    stop, length or repetition. ``problem`` says in a word or two what is wrong with the answer (``truncated``,
    ``repetition``, ``empty``, ``refusal``, ``off_format``), empty when nothing is. ``answer_key`` is the content key of
    the cache (``engines.base.answer_key``).
    """

    page_no: int
    attempt: int
    task: Task
    text: str
    engine_key: str
    prompt_sha256: str
    answer_key: str
    picture_width: int
    picture_height: int
    rotation: int = 0
    profile: str = ""
    keys: tuple[str, ...] = ()
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    is_cached: bool = False
    is_kept: bool = True
    problem: str = ""

"""Questions about the pages the tiny checkpoint knows, and how they are put to an engine."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hunyuan_ocr.engines.base import Answer, Engine, Picture, Prompt
from tests.vllm.tiny.lessons import Lesson, all_lessons


@dataclass(frozen=True)
class Question:
    """One picture of a page, what is asked, and the right answer word for word."""

    name: str
    picture: Picture
    prompt: Prompt
    text: str


def first_copies() -> list[Question]:
    """Every lesson once, each page as the product sends it at first."""
    return [_question(lesson, 0) for lesson in all_lessons()]


def many(count: int) -> list[Question]:
    """``count`` questions, no two about the same pixels with the same words; neighbours are about different pages."""
    turns: Counter[str] = Counter()
    in_turn: list[tuple[int, Lesson]] = []
    for lesson in all_lessons():
        in_turn.append((turns[lesson.page.name], lesson))
        turns[lesson.page.name] += 1
    in_turn.sort(key=lambda entry: entry[0])
    most = max(len(lesson.page.pictures) for _, lesson in in_turn)
    questions = (
        _question(lesson, copy) for copy in range(most) for _, lesson in in_turn if copy < len(lesson.page.pictures)
    )
    return list(itertools.islice(questions, count))


async def ask_all(engine: Engine, questions: Sequence[Question], *, in_flight: int) -> list[Answer]:
    """The answers, in order; ``in_flight`` questions are open at once. The first error ends it."""
    places = asyncio.Semaphore(in_flight)

    async def ask(question: Question) -> Answer:
        async with places:
            return await engine.ask(question.picture, question.prompt)

    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(ask(question)) for question in questions]
    return [task.result() for task in asked]


def wrong(questions: Sequence[Question], answers: Sequence[Answer]) -> list[str]:
    """The names of the questions that were not answered word for word."""
    return [question.name for question, answer in zip(questions, answers, strict=True) if answer.text != question.text]


def _question(lesson: Lesson, copy: int) -> Question:
    return Question(f"{lesson.name}#{copy}", lesson.page.pictures[copy], lesson.prompt, lesson.text)

"""A page is asked about until it is read well, by better pictures of it, and every attempt is on record."""

from __future__ import annotations

import asyncio

import pytest

from hunyuan_ocr.engines.base import Answer, FinishReason, Prompt, Sampling
from hunyuan_ocr.exceptions import (
    ConfigurationError,
    EngineDiedError,
    EngineUnavailableError,
    PageRefusedError,
)
from hunyuan_ocr.model.answers import Task
from hunyuan_ocr.readers.asking import Asker
from hunyuan_ocr.readers.examination import Judgement, PageQuestion, Remedy
from hunyuan_ocr.readers.hunyuan import REFUSED, HunyuanPageReader, PageResult
from tests.readers.scripted import FIELDS, SPOTTING, TABLE, ScriptedEngine, ScriptedExaminer, Stage, poor

GOOD = Judgement(9.0, True)
NORMAL, MORE = 2_200_000, 3_900_000


class Memory:
    """A cache that forgets nothing."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}

    async def get(self, key: str) -> Answer | None:
        return self.answers.get(key)

    async def put(self, key: str, answer: Answer) -> None:
        self.answers[key] = answer


def read(engine: ScriptedEngine, examiner: ScriptedExaminer, stage: Stage | None = None, **settings) -> PageResult:
    return asyncio.run(HunyuanPageReader(engine, examiner, **settings).read(3, stage or Stage()))


def attempts_of(result: PageResult) -> list[tuple[int, int, int, bool]]:
    """Attempt, pixels, rotation and whether kept, of each spotting answer."""
    return [
        (answer.attempt, answer.picture_width * answer.picture_height, answer.rotation, answer.is_kept)
        for answer in result.answers
        if answer.task is Task.SPOTTING
    ]


def test_a_page_read_well_is_asked_about_once_and_on_record():
    engine = ScriptedEngine(lambda picture, prompt: f"answer to {prompt.text}")
    reader = HunyuanPageReader(engine, ScriptedExaminer(rounds=[[FIELDS]]))
    result = asyncio.run(reader.read(3, Stage()))
    assert (result.reading.text, result.reading.page_no) == ("answer to all text", 3)
    assert (result.reading.width, result.reading.height, result.reading.rotation) == (2200, 1000, 0)
    assert result.reading.reader_version == reader.reading_key
    spotting, fields = result.answers
    assert (spotting.task, spotting.text, spotting.attempt, spotting.is_kept) == (
        Task.SPOTTING,
        "answer to all text",
        1,
        True,
    )
    assert (fields.task, fields.keys, fields.profile) == (Task.FIELDS, ("No.", "Total"), "invoice")
    assert (fields.prompt_tokens, fields.completion_tokens, fields.seconds) == (1000, 10, 0.1)
    assert fields.prompt_sha256 == FIELDS.prompt.sha256
    assert spotting.answer_key != fields.answer_key
    assert spotting.engine_key == "scripted@1"


def test_follow_ups_go_on_round_by_round_and_those_of_a_round_go_together():
    together = asyncio.Event()

    async def script(picture, prompt):
        if prompt is not SPOTTING.prompt:
            if engine.in_flight == 2:
                together.set()
            await asyncio.wait_for(together.wait(), 5)
        return "text"

    engine = ScriptedEngine(script)
    last = PageQuestion(Task.PARSING, Prompt("the document", Sampling(10)))
    result = read(engine, ScriptedExaminer(rounds=[[FIELDS, TABLE], [last]]))
    assert [answer.task for answer in result.answers] == [Task.SPOTTING, Task.FIELDS, Task.TABLE, Task.PARSING]


def test_an_examiner_that_never_has_enough_is_not_asked_for_ever():
    class Insatiable(ScriptedExaminer):
        def follow_ups(self, reading, answers):
            return [TABLE]

    result = read(ScriptedEngine(lambda picture, prompt: "text"), Insatiable())
    assert len(result.answers) == 5


def test_more_pixels_then_rotations_then_review_and_all_of_it_recorded():
    wants = (Remedy.MORE_PIXELS, Remedy.ROTATE_180, Remedy.ROTATE_90, Remedy.ROTATE_270)
    result = read(
        ScriptedEngine(lambda picture, prompt: "scribble"),
        ScriptedExaminer(lambda text, attempt: poor(2.0 if attempt == 3 else 1.0, *wants)),
    )
    assert attempts_of(result) == [
        (1, NORMAL, 0, False),
        (2, MORE, 0, False),
        (3, NORMAL, 180, True),
        (4, MORE, 180, False),
        (5, NORMAL, 90, False),
    ]
    assert not result.judgement.is_good
    assert result.judgement.reason
    assert result.reading.rotation == 180


def test_what_helped_is_kept_and_ends_the_attempts():
    engine = ScriptedEngine(lambda picture, prompt: "well read" if picture.data.endswith(b"/270") else "scribble")
    result = read(
        engine,
        ScriptedExaminer(
            lambda text, attempt: GOOD if text == "well read" else poor(5.0, Remedy.ROTATE_90, Remedy.ROTATE_270),
            rounds=[[FIELDS]],
        ),
    )
    assert attempts_of(result) == [(1, NORMAL, 0, False), (2, NORMAL, 90, False), (3, NORMAL, 270, True)]
    assert [answer.is_kept for answer in result.answers] == [False] * 4 + [True] * 2
    assert (result.reading.text, result.reading.rotation) == ("well read", 270)


def test_a_good_second_look_is_kept_over_a_poor_one_with_more_to_say():
    result = read(
        ScriptedEngine(lambda picture, prompt: ""),
        ScriptedExaminer(lambda text, attempt: Judgement(0.0, True) if attempt == 2 else poor(3.0, Remedy.MORE_PIXELS)),
    )
    assert attempts_of(result) == [(1, NORMAL, 0, False), (2, MORE, 0, True)]
    assert result.reading.spans == ()


@pytest.mark.parametrize(("stored", "turn"), [(0, 90), (180, 270), (270, 180)])
def test_rotations_count_from_the_stored_page(stored, turn):
    stage = Stage(stored_rotation=stored)
    result = read(
        ScriptedEngine(lambda picture, prompt: "text"),
        ScriptedExaminer(lambda text, attempt: GOOD if attempt == 2 else poor(1.0, Remedy.ROTATE_90)),
        stage,
    )
    assert stage.drawn == [(NORMAL, 0), (NORMAL, turn)]
    assert [answer.rotation for answer in result.answers] == [stored, 90]
    assert result.reading.rotation == 90


def test_a_page_is_not_turned_to_where_it_stands():
    stage = Stage(stored_rotation=90)
    result = read(
        ScriptedEngine(lambda picture, prompt: "text"),
        ScriptedExaminer(lambda text, attempt: poor(1.0, Remedy.ROTATE_90)),
        stage,
    )
    assert stage.drawn == [(NORMAL, 0)]
    assert result.reading.rotation == 90


@pytest.mark.parametrize("most_pixels", [1_000_000, 2_300_000])
def test_a_picture_that_has_hardly_more_pixels_is_not_asked_about_again(most_pixels):
    engine = ScriptedEngine(lambda picture, prompt: "")
    result = read(
        engine,
        ScriptedExaminer(lambda text, attempt: poor(0.0, Remedy.MORE_PIXELS, Remedy.ROTATE_180)),
        Stage(most_pixels=most_pixels),
    )
    pixels = min(NORMAL, most_pixels)
    assert attempts_of(result) == [(1, pixels, 0, True), (2, pixels, 180, False)]
    assert len(engine.asked) == 2


def test_a_page_too_long_for_the_engine_is_sent_smaller_once():
    def script(picture, prompt):
        if picture.width * picture.height > 1_500_000:
            raise PageRefusedError("too long")
        return "text"

    stage = Stage()
    result = read(ScriptedEngine(script), ScriptedExaminer(), stage)
    assert attempts_of(result) == [(1, 1_100_000, 0, True)]
    assert [pixels for pixels, _ in stage.drawn] == [NORMAL, 1_100_000]


def test_a_page_the_engine_takes_in_no_size_is_refused():
    def script(picture, prompt):
        raise PageRefusedError("impossible", document="a.pdf", page_no=3)

    engine = ScriptedEngine(script)
    with pytest.raises(PageRefusedError):
        read(engine, ScriptedExaminer())
    assert len(engine.asked) == 2


def test_a_refused_remedy_leaves_what_was_read_before():
    def script(picture, prompt):
        if picture.width * picture.height > NORMAL:
            raise PageRefusedError("too long")
        return "text"

    result = read(ScriptedEngine(script), ScriptedExaminer(lambda text, attempt: poor(1.0, Remedy.MORE_PIXELS)))
    assert attempts_of(result) == [(1, NORMAL, 0, True)]


def test_a_refused_follow_up_costs_that_answer_only():
    def script(picture, prompt):
        if prompt is TABLE.prompt:
            raise PageRefusedError("too long")
        return "text"

    result = read(ScriptedEngine(script), ScriptedExaminer(rounds=[[FIELDS, TABLE]]))
    assert [(answer.task, answer.problem) for answer in result.answers] == [
        (Task.SPOTTING, ""),
        (Task.FIELDS, ""),
        (Task.TABLE, REFUSED),
    ]


@pytest.mark.parametrize("error", [EngineDiedError("gone"), EngineUnavailableError("503"), ConfigurationError("key")])
def test_the_engines_own_troubles_are_not_the_pages(error):
    cancelled = []

    async def script(picture, prompt):
        if prompt is TABLE.prompt:
            raise error
        if prompt is FIELDS.prompt:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(prompt.text)
                raise
        return "text"

    async def run():
        reader = HunyuanPageReader(ScriptedEngine(script), ScriptedExaminer(rounds=[[FIELDS, TABLE]]))
        with pytest.raises(type(error)):
            await reader.read(1, Stage())
        await asyncio.sleep(0)

    asyncio.run(run())
    assert cancelled == ["the fields"]


def test_an_answer_known_already_is_not_asked_for_again():
    engine, memory = ScriptedEngine(lambda picture, prompt: "text"), Memory()
    first = read(engine, ScriptedExaminer(rounds=[[FIELDS]]), cache=memory)
    again = read(engine, ScriptedExaminer(rounds=[[FIELDS]]), cache=memory)
    assert len(engine.asked) == 2
    assert [answer.is_cached for answer in first.answers] == [False, False]
    assert [answer.is_cached for answer in again.answers] == [True, True]
    assert again.reading == first.reading
    assert set(memory.answers) == {answer.answer_key for answer in first.answers}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer("text text text", FinishReason.REPETITION), "repetition"),
        (Answer("text of a page", FinishReason.LENGTH), "truncated"),
        (Answer("  ", FinishReason.STOP), "empty"),
    ],
)
def test_an_answer_that_failed_is_recorded_but_not_remembered(answer, problem):
    memory = Memory()
    engine = ScriptedEngine(lambda picture, prompt: answer if prompt is FIELDS.prompt else "text")
    result = read(engine, ScriptedExaminer(rounds=[[FIELDS]]), cache=memory)
    assert result.answers[1].problem == problem
    assert result.answers[1].finish_reason == answer.finish_reason.value
    assert set(memory.answers) == {result.answers[0].answer_key}


def test_no_more_questions_are_in_flight_than_the_asker_allows():
    async def script(picture, prompt):
        await asyncio.sleep(0.001)
        return "text"

    async def run():
        engine = ScriptedEngine(script)
        asker = Asker(engine, in_flight=3)
        reader = HunyuanPageReader(engine, ScriptedExaminer(rounds=[[FIELDS, TABLE]]))
        await asyncio.gather(*(reader.read(number, Stage(), asker=asker) for number in range(1, 20)))
        return engine, asker.traffic

    engine, traffic = asyncio.run(run())
    assert engine.most_in_flight == 3
    assert (traffic.asked, traffic.in_flight) == (57, 0)
    assert (traffic.prompt_tokens, traffic.completion_tokens) == (57_000, 570)


def test_text_that_no_database_takes_is_mended():
    result = read(ScriptedEngine(lambda picture, prompt: "a\0b\ud800c é 增"), ScriptedExaminer())
    assert result.answers[0].text == "ab?c é 增"


def test_the_reading_key_tells_all_that_changes_a_reading_in_200_characters():
    def key(engine_key="engine@1", examiner=None, **settings):
        engine = ScriptedEngine(lambda picture, prompt: "")
        engine.key = engine_key
        return HunyuanPageReader(engine, examiner or ScriptedExaminer(), **settings).reading_key

    class Other(ScriptedExaminer):
        def first(self):
            return PageQuestion(Task.SPOTTING, Prompt("other words", Sampling(100)))

    keys = [
        key(),
        key("engine@2"),
        key("e" * 300),
        key("e" * 299 + "f"),
        key(examiner=Other()),
        key(pixels=(1_000_000, 2_000_000)),
        key(dpi=(150, 200)),
        key(reading_key="as the journal has it"),
    ]
    assert len(set(keys)) == len(keys)
    assert all(len(one) <= 200 for one in keys)
    assert key() == key()
    assert keys[-1] == "as the journal has it"

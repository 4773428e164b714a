"""The start-up probe finds an engine that mixes pages or does not read, and lets an honest one pass."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable

import pytest
from PIL import Image

from hunyuan_ocr.engines import probe
from hunyuan_ocr.engines.base import Answer, FinishReason, Picture, Prompt
from hunyuan_ocr.engines.probe import ProbeFailedError, Verdict, check_template, judge, probe_pages, run_probe
from hunyuan_ocr.engines.spec import Family, ModelSpec
from hunyuan_ocr.exceptions import EngineDiedError, EngineRefusedError, PageRefusedError


def pixels(picture: Picture) -> bytes:
    """What a reader sees: the picture without the corner pixel, which no print is made of."""
    with Image.open(io.BytesIO(picture.data)) as image:
        plain = image.convert("RGB")
    plain.putpixel((plain.width - 1, plain.height - 1), (255, 255, 255))
    return plain.tobytes()


TEXTS = {pixels(page.picture): page.text for page in probe_pages(0)}


class Server:
    """Reads a picture by its pixels. Pictures that wait at the same time make one encoder batch, as in vLLM."""

    def __init__(self, encode: Callable[[list[str]], list[str]] = list, *, has_cache: bool = False) -> None:
        self.encode = encode
        self.batches: list[int] = []
        self.prompts: set[Prompt] = set()
        self.hits = 0
        self._cache: dict[str, str] | None = {} if has_cache else None
        self._waiting: list[tuple[Picture, asyncio.Future[str]]] = []

    async def ask(self, picture: Picture, prompt: Prompt) -> Answer:
        self.prompts.add(prompt)
        if self._cache is not None and (known := self._cache.get(picture.sha256)):
            self.hits += 1
            return Answer(known, FinishReason.STOP)
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((picture, answer))
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(0.01, self._step)
        text = await answer
        if self._cache is not None:
            self._cache[picture.sha256] = text
        return Answer(text, FinishReason.STOP)

    def _step(self) -> None:
        batch, self._waiting = self._waiting, []
        self.batches.append(len(batch))
        texts = self.encode([TEXTS[pixels(picture)] for picture, _ in batch])
        for (_, answer), text in zip(batch, texts, strict=True):
            answer.set_result(text)


def mix(texts: list[str]) -> list[str]:
    """As vLLM 0.29 to 0.32 did: the first of a batch is right, every other begins in a picture behind its own."""
    lines = [text.split("\n") for text in texts]
    return ["\n".join(lines[min(2 * index, len(lines) - 1)][:4] + lines[index][4:]) for index in range(len(lines))]


def run(server: Server, **options: int) -> probe.ProbeReport:
    return asyncio.run(run_probe(server.ask, ModelSpec(), **options))


class TestAnEngineThatAnswersABatchAsAlone:
    def test_it_passes_after_one_round_of_eight_together_and_eight_alone(self) -> None:
        server = Server()
        report = run(server)
        assert (report.verdict, report.right_together, report.right_alone, report.pages) == (Verdict.SAME, 8, 8, 8)
        assert server.batches == [8] + [1] * 8
        assert report.rounds == 1

    def test_it_is_asked_the_official_wording_greedily_and_without_a_penalty(self) -> None:
        server = Server()
        run(server)
        (prompt,) = server.prompts
        assert prompt.text == "提取图中的文字。"
        assert (prompt.sampling.temperature, prompt.sampling.repetition_penalty) == (0.0, 1.0)

    def test_two_rounds_are_two_rounds(self) -> None:
        server = Server()
        assert run(server, rounds=2).rounds == 2
        assert len(server.batches) == 18

    def test_an_engine_of_capacity_four_is_asked_four_at_a_time(self) -> None:
        server = Server()
        assert run(server, concurrency=4).together == 4
        assert server.batches[:2] == [4, 4]

    def test_a_cache_is_never_hit(self) -> None:
        server = Server(has_cache=True)
        run(server, rounds=2)
        assert server.hits == 0

    def test_a_little_drift_of_the_text_in_a_batch_passes(self) -> None:
        def drift(texts: list[str]) -> list[str]:
            return [text.replace("E", "F", 1) if len(texts) > 1 else text for text in texts]

        assert run(Server(drift)).verdict is Verdict.SAME

    def test_layout_and_grouping_of_digits_do_not_matter(self) -> None:
        def spaced(texts: list[str]) -> list[str]:
            return [text.replace("\n", "  \n\n") if len(texts) > 1 else f"```\n{text}\n```" for text in texts]

        def grouped(texts: list[str]) -> list[str]:
            return [text.replace("481036", "481,036").replace("927514", "927 514") for text in texts]

        assert run(Server(spaced)).right_together == 8
        assert run(Server(grouped)).right_alone == 8

    def test_a_page_the_model_misreads_alone_as_well_is_no_mixture(self) -> None:
        def misread(texts: list[str]) -> list[str]:
            return [text.replace("481036", "481038") for text in texts]

        report = run(Server(misread))
        assert (report.verdict, report.right_alone) == (Verdict.SAME, 7)


class TestAnEngineThatMixesPages:
    def test_it_is_refused_with_the_pins_and_the_setting_that_help(self) -> None:
        with pytest.raises(ProbeFailedError, match=r"transformers==5\.20\.2.*engine_gate = when_needed") as refused:
            run(Server(mix))
        assert refused.value.report.verdict is Verdict.MIXED
        assert refused.value.report.right_alone == 8
        assert refused.value.report.right_together <= 4

    def test_a_cache_that_keeps_the_wrong_answers_does_not_hide_it(self) -> None:
        server = Server(mix, has_cache=True)
        with pytest.raises(ProbeFailedError) as refused:
            run(server)
        assert refused.value.report.verdict is Verdict.MIXED

    @pytest.mark.parametrize("concurrency", [3, 4, 8])
    def test_it_is_found_at_any_concurrency(self, concurrency: int) -> None:
        with pytest.raises(ProbeFailedError):
            run(Server(mix), concurrency=concurrency)

    def test_one_bad_round_alone_is_repeated_and_forgiven(self) -> None:
        rounds = 0

        def once(texts: list[str]) -> list[str]:
            nonlocal rounds
            rounds += len(texts) > 1
            return mix(texts) if rounds == 1 else texts

        assert run(Server(once)).rounds == 2

    def test_swapped_pages_are_found_though_every_answer_is_well_formed(self) -> None:
        with pytest.raises(ProbeFailedError):
            run(Server(lambda texts: texts[::-1]))

    def test_a_loss_of_half_the_text_is_found_though_the_number_is_there(self) -> None:
        with pytest.raises(ProbeFailedError):
            run(Server(lambda texts: [text[: len(text) // 2] for text in texts] if len(texts) > 1 else texts))

    def test_the_message_repeats_no_answer(self) -> None:
        def private(texts: list[str]) -> list[str]:
            return ["Erika Mustermann"] * len(texts) if len(texts) > 1 else texts

        with pytest.raises(ProbeFailedError) as refused:
            run(Server(private))
        assert "Mustermann" not in str(refused.value)


class TestAnEngineThatDoesNotRead:
    @pytest.mark.parametrize(
        "answer",
        ["", "图片中有一些英文单词和数字。", "\x00\ufffd" * 40, "AMBER\n481036", "<image>", "481 036 481 036" * 20],
    )
    def test_it_is_refused_as_a_wrong_model_or_template_without_a_second_round(self, answer: str) -> None:
        server = Server(lambda texts: [answer] * len(texts))
        with pytest.raises(ProbeFailedError, match=r"does not read.*template") as refused:
            run(server)
        assert refused.value.report.verdict is Verdict.UNREAD
        assert len(server.batches) == 9

    def test_the_family_is_named(self) -> None:
        spec = ModelSpec(family=Family.V1_0)
        server = Server(lambda texts: [""] * len(texts))
        with pytest.raises(ProbeFailedError, match=r"family 1\.0"):
            asyncio.run(run_probe(server.ask, spec))


class TestAnEngineThatFails:
    def test_a_refused_probe_page_refuses_the_engine(self) -> None:
        async def refuse(picture: Picture, prompt: Prompt) -> Answer:
            raise PageRefusedError("maximum context length is 64 tokens.")

        with pytest.raises(EngineRefusedError, match=r"64 tokens.*max_model_len"):
            asyncio.run(run_probe(refuse, ModelSpec()))

    def test_its_own_faults_come_through_and_no_question_is_left_open(self) -> None:
        open_questions = 0

        async def die(picture: Picture, prompt: Prompt) -> Answer:
            nonlocal open_questions
            open_questions += 1
            await asyncio.sleep(0.001 * open_questions)
            open_questions -= 1
            raise EngineDiedError("gone")

        with pytest.raises(EngineDiedError):
            asyncio.run(run_probe(die, ModelSpec()))
        assert open_questions == 0


class TestTheProbePages:
    def test_they_fit_the_smallest_model_and_come_in_two_sizes(self) -> None:
        sizes = {(page.picture.width, page.picture.height) for page in probe_pages(1)}
        assert len(sizes) == 2
        assert all(width * height <= 448 * 448 and width % 32 == height % 32 == 0 for width, height in sizes)

    def test_another_seed_changes_the_hash_and_one_pixel(self) -> None:
        for one, other in zip(probe_pages(1), probe_pages(2), strict=True):
            assert one.picture.sha256 != other.picture.sha256
            assert pixels(one.picture) == pixels(other.picture)

    def test_the_same_seed_gives_the_same_pages(self) -> None:
        assert probe_pages(3) == probe_pages(3)

    def test_no_two_numbers_share_a_digit_at_the_same_place(self) -> None:
        numbers = probe.PROBE_NUMBERS
        assert len(set(numbers)) == 8
        assert all(len({number[place] for number in numbers}) == 8 for place in range(6))

    def test_the_verdict_of_a_round_can_be_had_without_an_engine(self) -> None:
        pages = probe_pages(0)
        texts = [page.text for page in pages]
        assert judge(pages, texts, texts) == (Verdict.SAME, 8, 8)
        assert judge(pages, texts[::-1], texts) == (Verdict.MIXED, 0, 8)


class TestTheChatTemplate:
    BEGIN = "<｜hy_begin▁of▁sentence｜>"
    PH = "<｜hy_place▁holder▁no▁{}｜>"

    def render(self, messages: list[dict[str, object]], *, drop_system: bool = False, text_first: bool = False) -> str:
        rendered = self.BEGIN
        for message in messages:
            content = message["content"]
            if isinstance(content, str):
                rendered += content
            else:
                assert isinstance(content, list)
                parts = content[::-1] if text_first else content
                for part in parts:
                    block = "".join(self.PH.format(number) for number in (100, 102, 101))
                    rendered += block if part["type"] == "image" else part["text"]
            if message["role"] == "system":
                rendered += "" if drop_system else self.PH.format(3)
            else:
                rendered += "<｜hy_User｜>"
        return rendered

    def test_the_official_layout_passes(self) -> None:
        assert check_template(self.render).startswith(self.BEGIN + self.PH.format(3) + self.PH.format(100))

    def test_a_template_without_the_system_token_is_refused(self) -> None:
        with pytest.raises(EngineRefusedError, match="lacks <｜hy_place▁holder▁no▁3｜>"):
            check_template(lambda messages: self.render(messages, drop_system=True))

    def test_text_before_the_image_is_refused(self) -> None:
        with pytest.raises(EngineRefusedError, match="another order"):
            check_template(lambda messages: self.render(messages, text_first=True))

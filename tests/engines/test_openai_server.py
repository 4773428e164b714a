"""The server engine asks a server of vLLM's kind rightly, and says what is wrong before the first page."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_ocr.engines.base import FinishReason, Picture, Prompt, RepetitionGuard, Sampling
from hunyuan_ocr.engines.chat_answer import answer_of, answer_of_stream
from hunyuan_ocr.engines.chat_request import chat_request
from hunyuan_ocr.engines.server_faults import FailedRequestError
from hunyuan_ocr.engines.server_options import ServerOptions
from hunyuan_ocr.exceptions import ConfigurationError, EngineRefusedError, EngineUnavailableError, PageRefusedError
from tests.engines.pictures import KEY, PROMPT, SPEC, engine, options, picture
from tests.model_stub import MODEL, Latency, ModelStub, StubSettings


def test_a_question_is_laid_out_as_the_model_was_trained() -> None:
    async def run() -> dict[str, object]:
        async with ModelStub() as stub, engine(stub) as it:
            await it.ask(picture(1), Prompt("读", Sampling(700, 0.0, 1.08, RepetitionGuard(64, 4, 12), False)))
            return stub.seen[0].body

    body = asyncio.run(run())
    system, user = body["messages"]  # type: ignore[misc]
    assert system == {"role": "system", "content": ""}
    assert [part["type"] for part in user["content"]] == ["image_url", "text"]
    assert user["content"][0]["image_url"]["url"] == "data:image/jpeg;base64,"  # the stub took the picture out
    assert user["content"][1]["text"] == "读"
    assert {key: body[key] for key in body if key != "messages"} == {
        "model": MODEL,
        "temperature": 0.0,
        "top_p": 1.0,
        "top_k": -1,
        "repetition_penalty": 1.08,
        "repeat_penalty": 1.08,
        "skip_special_tokens": False,
        "max_tokens": 700,
        "repetition_detection": {"max_pattern_size": 64, "min_pattern_size": 4, "min_count": 12},
    }


@given(st.binary(max_size=1000), st.text(max_size=200))
def test_the_body_is_json_with_the_picture_and_the_words_unharmed(data: bytes, text: str) -> None:
    shown = Picture(data * 700, "image/png", 1, 1)
    request = chat_request("m", shown, Prompt(text, Sampling(10, repetition_guard=None)))
    raw = b"".join(request.pieces())
    content = json.loads(raw)["messages"][1]["content"]
    assert len(raw) == request.length
    assert base64.b64decode(content[0]["image_url"]["url"].partition(",")[2], validate=True) == shown.data
    assert content[1]["text"] == text


def test_each_picture_gets_its_own_answer_with_tokens_and_seconds() -> None:
    async def run() -> None:
        async with ModelStub(StubSettings(latency=Latency(0.05))) as stub, engine(stub) as it:
            shown = [picture(number, 400_000) for number in range(40)]
            stub.answers = {one.sha256: f"page {number}" for number, one in enumerate(shown)}
            answers = await asyncio.gather(*(it.ask(one, PROMPT) for one in shown))
            assert [answer.text for answer in answers] == [f"page {number}" for number in range(40)]
            assert all(answer.finish_reason is FinishReason.STOP and answer.seconds >= 0.05 for answer in answers)
            assert answers[0].prompt_tokens == 164
            assert it.stats.answers == it.stats.requests == 40
            assert it.stats.completion_tokens == sum(answer.completion_tokens for answer in answers)
            assert it.stats.in_flight == 0

    asyncio.run(run())


def test_no_more_questions_are_under_way_than_the_capacity() -> None:
    async def run() -> None:
        async with ModelStub(StubSettings(latency=Latency(0.02))) as stub, engine(stub, max_in_flight=5) as it:
            await asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(30)))
            assert it.capacity == stub.most_in_flight == 5

    asyncio.run(run())


def test_the_key_names_model_revision_runtime_and_a_name_of_its_own() -> None:
    async def run() -> None:
        async with ModelStub() as stub, engine(stub) as it:
            assert it.key == f"{MODEL}@0123456789ab+vllm=0.33.0"
        async with ModelStub(StubSettings(model="tuned")) as stub, engine(stub, served_model="tuned") as it:
            assert it.key == f"{MODEL}@0123456789ab+vllm=0.33.0,name=tuned"

    asyncio.run(run())


def test_llama_server_and_a_bare_server_will_do() -> None:
    async def run() -> None:
        llama = StubSettings(flavour="llama_server", version="b10621-c1d0e7a00", api_key=KEY)
        async with ModelStub(llama) as stub:
            async with engine(stub, api_key=KEY) as it:
                assert it.key.endswith("+llama_server=b10621-c1d0e7a00,file=hyocr-f16.gguf")
                assert (await it.ask(picture(1), PROMPT)).text
            with pytest.raises(EngineRefusedError, match="refused the API key"):
                await engine(stub, api_key="other").__aenter__()
        async with ModelStub(StubSettings(flavour="bare")) as stub, engine(stub) as it:
            assert it.key.endswith("+server")
            await asyncio.sleep(0.5)  # health checks that find no /health
            assert (await it.ask(picture(1), PROMPT)).text
            assert it.stats.ejections == 0

    asyncio.run(run())


class TestRefusedBeforeTheFirstPage:
    def refusal(self, settings: StubSettings, **changes: object) -> str:
        async def run() -> str:
            async with ModelStub(settings) as stub:
                with pytest.raises(EngineRefusedError) as refused:
                    await engine(stub, **changes).__aenter__()
                assert stub.questions == 0
                return str(refused.value)

        return asyncio.run(run())

    def test_a_wrong_key_names_the_connection(self) -> None:
        message = self.refusal(StubSettings(api_key=KEY), api_key="sk-wrong-key-0000")
        assert "refused the API key" in message
        assert "password of connection hunyuan_test" in message
        assert "sk-wrong" not in message

    def test_a_wrong_model_name_says_what_is_served(self) -> None:
        message = self.refusal(StubSettings(model="tencent/HunyuanOCR"))
        assert f"does not serve {MODEL}; it serves: tencent/HunyuanOCR." in message

    def test_a_version_known_to_be_broken(self) -> None:
        assert "0.29.0" in self.refusal(StubSettings(version="0.29.0"))

    def test_two_endpoints_of_two_versions(self) -> None:
        async def run() -> None:
            async with ModelStub() as one, ModelStub(StubSettings(version="0.32.0")) as other:
                with pytest.raises(EngineRefusedError, match="Serve the same everywhere"):
                    await engine(one, other).__aenter__()

        asyncio.run(run())


def test_answers_longer_than_the_context_are_refused_as_a_setting() -> None:
    async def run() -> None:
        async with ModelStub(StubSettings(max_model_len=512)) as stub, engine(stub) as it:
            with pytest.raises(EngineRefusedError, match="context of 512 tokens"):
                await it.ask(picture(1), PROMPT)

    asyncio.run(run())


class TestStarting:
    def test_a_server_that_still_loads_is_waited_for(self) -> None:
        async def run() -> None:
            async with ModelStub(StubSettings(loads_for=1.2)) as stub, engine(stub) as it:
                assert (await it.ask(picture(1), PROMPT)).text

        asyncio.run(run())

    def test_nobody_there_is_an_error_that_says_where(self) -> None:
        async def run() -> None:
            with pytest.raises(EngineUnavailableError, match=r"127\.0\.0\.1:9 cannot be reached.*Waited 1 s"):
                await engine("http://127.0.0.1:9", startup_timeout=1).__aenter__()

        asyncio.run(run())

    def test_one_of_two_is_enough_and_the_other_joins_when_it_is_up(self) -> None:
        async def run() -> None:
            async with ModelStub() as early, ModelStub(StubSettings(loads_for=0.8)) as late, engine(early, late) as it:
                await asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(8)))
                assert (early.questions, late.questions) == (8, 0)
                async with asyncio.timeout(10):
                    while not late.questions:
                        await asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(4)))

        asyncio.run(run())


class TestTheKeyStaysSecret:
    def test_in_options_errors_and_logs(self, caplog: pytest.LogCaptureFixture) -> None:
        async def run() -> list[str]:
            shown = [repr(options("http://h:1", api_key=KEY))]
            async with (
                ModelStub(StubSettings(api_key=KEY)) as stub,
                engine(stub, api_key=KEY, retries=1, request_timeout=1) as it,
            ):
                for fate in ("reset", "half_body", "500", "401", "404", "302", "400", "hang"):
                    stub.script.extend([fate] * 12)
                    with pytest.raises(Exception) as failed:
                        await it.ask(picture(fate), PROMPT)
                    shown.append("".join(traceback.format_exception(failed.value)))
                    stub.script.clear()
            with pytest.raises(EngineUnavailableError) as failed:
                await engine(stub, api_key=KEY, startup_timeout=0.2).__aenter__()
            return [*shown, "".join(traceback.format_exception(failed.value))]

        with caplog.at_level(logging.DEBUG):
            shown = asyncio.run(run())
        assert len(shown) == 10
        assert not [text for text in [*shown, caplog.text] if KEY in text or "verysecret" in text]

    @pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel"])
    def test_one_that_no_header_takes_is_refused_without_being_shown(self, key: str) -> None:
        with pytest.raises(ConfigurationError) as refused:
            ServerOptions(("http://h:1",), api_key=key)
        assert key not in str(refused.value)

    def test_an_address_with_a_password_is_refused_without_being_shown(self) -> None:
        with pytest.raises(ConfigurationError) as refused:
            ServerOptions(("http://user:geheim@h:8000/v1",))
        assert "geheim" not in str(refused.value)


def test_addresses_may_end_in_v1_and_stand_only_once() -> None:
    given = ServerOptions(("http://a:8000/v1/", "http://a:8000", "https://b/llm/v1"))
    assert given.base_urls == ("http://a:8000", "https://b/llm")


@pytest.mark.parametrize("urls", [(), ("a:8000",), ("ftp://a",), ("http://",), ("http://a:99999",), ("http://a?x=1",)])
def test_addresses_that_are_none_are_refused(urls: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError):
        ServerOptions(urls)


class TestAnswers:
    def completion(self, **choice: object) -> bytes:
        message = {"role": "assistant", "content": choice.pop("content", "text")}
        return json.dumps({"choices": [{"message": message, **choice}]}).encode()

    @pytest.mark.parametrize(
        ("reason", "beside", "expected"),
        [
            ("stop", None, FinishReason.STOP),
            ("length", None, FinishReason.LENGTH),
            ("repetition", "repetition_detected", FinishReason.REPETITION),
            ("stop", "repetition_detected", FinishReason.REPETITION),
            ("something_new", None, FinishReason.LENGTH),
            (None, None, FinishReason.LENGTH),
        ],
    )
    def test_the_end_of_an_answer_is_told_apart(
        self, reason: str | None, beside: str | None, expected: FinishReason
    ) -> None:
        assert answer_of(self.completion(finish_reason=reason, stop_reason=beside)).finish_reason is expected

    def test_an_empty_answer_is_an_answer(self) -> None:
        assert answer_of(self.completion(content="", finish_reason="stop")).text == ""
        assert answer_of(self.completion(content=None, finish_reason="stop")).text == ""

    @pytest.mark.parametrize("reason", ["abort", "error", "content_filter"])
    def test_a_question_given_up_is_no_answer(self, reason: str) -> None:
        with pytest.raises(FailedRequestError):
            answer_of(self.completion(content="", finish_reason=reason))

    @given(
        st.binary(max_size=80)
        | st.recursive(st.none() | st.text(), lambda x: st.lists(x)).map(
            lambda content: json.dumps({"choices": content}).encode()
        )
    )
    def test_whatever_is_no_completion_is_a_fault_and_no_crash(self, body: bytes) -> None:
        with pytest.raises(FailedRequestError):
            answer_of(body)

    def test_a_stream_that_breaks_off_is_no_answer(self) -> None:
        async def lines():  # type: ignore[no-untyped-def]
            yield b'data: {"choices":[{"delta":{"content":"ha"}}]}\n'
            yield b"\n"

        with pytest.raises(FailedRequestError, match="broke off"):
            asyncio.run(answer_of_stream(lines(), lambda: None))

    def test_an_error_inside_a_stream_is_sorted_as_any_other(self) -> None:
        async def lines():  # type: ignore[no-untyped-def]
            yield b'data: {"error":{"message":"Failed to load image: x","type":"BadRequestError","code":400}}\n'

        with pytest.raises(FailedRequestError) as failed:
            asyncio.run(answer_of_stream(lines(), lambda: None))
        assert failed.value.blame == "request"


def test_an_engine_that_was_not_started_says_so() -> None:
    it = engine("http://127.0.0.1:9")
    with pytest.raises(RuntimeError, match="not been started"):
        asyncio.run(it.ask(picture(1), PROMPT))
    assert SPEC.model == MODEL


def test_a_picture_that_is_none_is_the_pages_fault_and_is_asked_once() -> None:
    async def run() -> None:
        async with ModelStub() as stub, engine(stub) as it:
            with pytest.raises(PageRefusedError, match="cannot identify image"):
                await it.ask(Picture(b"%PDF", "image/png", 1, 1), PROMPT)
            assert it.stats.requests == it.stats.refused_pages == 1

    asyncio.run(run())

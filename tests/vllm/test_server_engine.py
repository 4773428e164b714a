"""A real vLLM server with an API key, and the engine that talks to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hunyuan_ocr.engines.openai_server import OpenAIServerEngine
from hunyuan_ocr.engines.server_options import ServerOptions
from hunyuan_ocr.engines.spec import ModelSpec
from hunyuan_ocr.exceptions import EngineRefusedError
from tests.vllm.questions import ask_all, first_copies, many, wrong
from tests.vllm.serving import Server, tiny_server

#: As a client knows the model: by the name it is served under.
SPEC = ModelSpec()


@pytest.fixture(scope="module")
def server(checkpoint: Path) -> Iterator[Server]:
    with tiny_server(checkpoint) as server:
        yield server


def options_for(server: Server) -> ServerOptions:
    return ServerOptions(
        base_urls=(server.url,), served_model=server.model, api_key=server.api_key, connection="connection tiny"
    )


@pytest.fixture(scope="module")
def engine(server: Server, runner: asyncio.Runner) -> Iterator[OpenAIServerEngine]:
    engine = OpenAIServerEngine(SPEC, options_for(server))
    runner.run(engine.__aenter__())
    yield engine
    runner.run(engine.__aexit__())


def test_every_page_is_answered_word_for_word(engine: OpenAIServerEngine, runner: asyncio.Runner) -> None:
    questions = first_copies()
    assert wrong(questions, runner.run(ask_all(engine, questions, in_flight=1))) == []


def test_64_pages_at_32_in_flight_are_answered_as_each_alone(
    engine: OpenAIServerEngine, runner: asyncio.Runner
) -> None:
    questions = many(64)
    together = runner.run(ask_all(engine, questions, in_flight=32))
    alone = runner.run(ask_all(engine, questions, in_flight=1))
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert wrong(questions, together) == []
    assert not engine.stats.is_gated


def test_a_wrong_key_is_refused_without_repeating_it(server: Server, runner: asyncio.Runner) -> None:
    wrong_key = replace(options_for(server), api_key="not-the-key-of-this-server")
    with pytest.raises(EngineRefusedError, match="key") as refusal:
        runner.run(_start(wrong_key))
    assert "not-the-key" not in str(refusal.value)


def test_a_wrong_model_name_is_refused_with_the_right_one(server: Server, runner: asyncio.Runner) -> None:
    with pytest.raises(EngineRefusedError, match=server.model):
        runner.run(_start(replace(options_for(server), served_model="another/model")))


async def _start(options: ServerOptions) -> None:
    async with OpenAIServerEngine(SPEC, options):
        raise AssertionError("the engine started")

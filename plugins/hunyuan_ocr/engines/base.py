"""The contract of an engine: one picture and one prompt in, one text out, asynchronously.

An engine knows nothing of invoices, pages of documents or fields; it does not judge an answer. All engines behave the
same towards their caller, so that the pipeline is written once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self


class FinishReason(StrEnum):
    """Why an answer ended. Only ``STOP`` is a finished one."""

    STOP = "stop"
    LENGTH = "length"
    REPETITION = "repetition"


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded page image as it is sent: ``media_type`` is image/jpeg or image/png, sizes are in pixels."""

    data: bytes
    media_type: str
    width: int
    height: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class RepetitionGuard:
    """Ends an answer whose tail repeats a pattern of ``min_pattern`` to ``max_pattern`` tokens ``min_count`` times.

    vLLM's ``repetition_detection``. The counts are high on purpose: tables repeat their cells honestly.
    """

    max_pattern: int = 64
    min_pattern: int = 4
    min_count: int = 12


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is generated. Greedy by default, as the model's authors do."""

    max_tokens: int
    temperature: float = 0.0
    repetition_penalty: float = 1.0
    repetition_guard: RepetitionGuard | None = RepetitionGuard()
    #: False keeps the model's box markers in the text: the only unambiguous form of a spotting answer.
    skip_special_tokens: bool = True

    @property
    def key(self) -> str:
        """Everything that changes an answer, as text."""
        guard = self.repetition_guard
        loop = f"{guard.max_pattern}-{guard.min_pattern}-{guard.min_count}" if guard else "none"
        special = "skip" if self.skip_special_tokens else "keep"
        return f"max={self.max_tokens},t={self.temperature},rp={self.repetition_penalty},loop={loop},special={special}"


@dataclass(frozen=True, slots=True)
class Prompt:
    """The words put to the model beside a picture, and how it shall answer."""

    text: str
    sampling: Sampling

    @property
    def sha256(self) -> str:
        """Of the words and the sampling: with the picture and the engine key it decides the answer."""
        return hashlib.sha256(f"{self.text}\n{self.sampling.key}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said. ``seconds`` is from asking to the last token; tokens are counted by the engine."""

    text: str
    finish_reason: FinishReason
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    is_cached: bool = False


class Engine(Protocol):
    """One way to reach the model. Use as an asynchronous context manager: it starts on entry and stops on exit.

    Starting checks the versions, loads or reaches the model, and runs the start-up probe; afterwards ``ask`` may be
    called by ``capacity`` tasks at once (more only queue). All raise:

    - ``ConfigurationError`` (``EngineRefusedError``): wrong key, model, versions, failed probe. A retry repeats it.
    - ``EngineUnavailableError``: not reachable, overloaded, past its deadline. A later retry helps.
    - ``EngineDiedError``: the engine's process is gone or makes no progress. Start it anew; the page is not to blame.
    - ``EngineOutOfMemoryError``: the GPU has no room.
    - ``PageRefusedError``: this picture or prompt was refused. A retry repeats it; other pages go on.
    """

    @property
    def key(self) -> str:
        """Names model, revision, runtime and versions: what besides picture and prompt decides an answer."""
        ...

    @property
    def capacity(self) -> int:
        """How many questions the engine usefully answers at once."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def ask(self, picture: Picture, prompt: Prompt) -> Answer: ...


def answer_key(engine_key: str, picture: Picture, prompt: Prompt) -> str:
    """The content key of an answer, for every cache: 64 hexadecimal digits that tell nothing of the content."""
    return hashlib.sha256(f"{engine_key}\n{picture.sha256}\n{prompt.sha256}".encode()).hexdigest()


class AnswerCache(Protocol):
    """Remembers answers by ``answer_key``. Both methods never raise for a cache that is out of order: they miss."""

    async def get(self, key: str) -> Answer | None: ...

    async def put(self, key: str, answer: Answer) -> None: ...

"""How ``model_stub`` behaves: what it serves, how fast it answers, how often it fails."""

from __future__ import annotations

import random
from dataclasses import dataclass

MODEL = "hunyuanocr"


@dataclass(frozen=True)
class Latency:
    """Seconds an answer takes: ``seconds``, or lognormal around it (``sigma``); a ``straggling`` share takes
    ``straggle_factor`` times that."""

    seconds: float = 0.0
    sigma: float = 0.0
    straggling: float = 0.0
    straggle_factor: float = 20.0

    def draw(self, dice: random.Random) -> float:
        seconds = self.seconds * (dice.lognormvariate(0.0, self.sigma) if self.sigma else 1.0)
        return seconds * (self.straggle_factor if self.straggling and dice.random() < self.straggling else 1.0)


@dataclass(frozen=True)
class Faults:
    """Shares (0 to 1) of the requests that meet each fault, drawn one after the other by the seed.

    ``burst_503`` begins a time of ``burst_seconds`` in which every request gets a 503 with ``Retry-After``.
    """

    error_500: float = 0.0
    hang: float = 0.0
    burst_503: float = 0.0
    reset: float = 0.0
    half_body: float = 0.0
    slow_body: float = 0.0
    garbled: float = 0.0
    length: float = 0.0
    too_many_429: float = 0.0
    burst_seconds: float = 0.1


@dataclass(frozen=True)
class StubSettings:
    """How the stub behaves. ``flavour`` is vllm, llama_server or bare (neither /health nor /version)."""

    model: str = MODEL
    api_key: str = ""
    flavour: str = "vllm"
    version: str = "0.33.0"
    max_model_len: int = 16_384
    latency: Latency = Latency()
    faults: Faults = Faults()
    seed: int = 1
    loads_for: float = 0.0
    max_body: int = 64 * 1024 * 1024
    #: False answers without looking into the body: what a benchmark of a client needs.
    reads_body: bool = True
    #: As vLLM 0.29 to 0.32 with transformers before 5.20.1: pictures that meet in one step of the encoder get the
    #: text of the first of them, and what was answered once is answered again.
    mixes_pictures: bool = False
    encoder_seconds: float = 0.02


PLAIN = StubSettings()

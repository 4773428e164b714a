"""Pictures and questions for engine tests, and engines that do not wait long."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hunyuan_ocr.engines.base import Picture, Prompt, Sampling
from hunyuan_ocr.engines.openai_server import OpenAIServerEngine
from hunyuan_ocr.engines.server_options import ServerOptions
from hunyuan_ocr.engines.spec import ModelSpec
from tests.model_stub import MODEL, ModelStub

KEY = "sk-verysecret-0123456789abcdef"
SPEC = ModelSpec.of(MODEL, "0123456789abcdef", "1.5")
PROMPT = Prompt("提取图中的文字。", Sampling(max_tokens=512))


def picture(name: object, size: int = 64) -> Picture:
    """The stub takes whatever begins with ``pic`` for a picture; ``size`` is in bytes."""
    return Picture(f"picture {name} ".encode().ljust(size, b"."), "image/jpeg", 320, 448)


def options(*stubs: ModelStub | str, **changes: Any) -> ServerOptions:
    """Without the probe, and with little patience."""
    quick = ServerOptions(
        tuple(stub if isinstance(stub, str) else stub.url for stub in stubs),
        MODEL,
        connect_timeout=2,
        request_timeout=10,
        startup_timeout=5,
        health_interval=0.2,
        shortest_pause=0.02,
        longest_pause=0.2,
        probe=False,
        connection="connection hunyuan_test",
    )
    return replace(quick, **changes)


def engine(*stubs: ModelStub | str, **changes: Any) -> OpenAIServerEngine:
    return OpenAIServerEngine(SPEC, options(*stubs, **changes))

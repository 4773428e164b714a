"""The body of a question, as vLLM and llama-server take it, built without ever holding a picture twice.

The layout is part of the model: an empty system message, then the picture, then the words. ``json.dumps`` over a body
with a picture in it escapes a million characters for nothing; here the ends are made as JSON once and the picture is
encoded between them, piece by piece, while it is sent.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from hunyuan_ocr.engines.base import Picture, Prompt, RepetitionGuard, Sampling

#: A multiple of three, so that the pieces of base64 join; about 260 kB on the way.
_PIECE = 196_608
#: How many tokens vLLM may put into one streamed chunk; the first is sent at once whatever this says.
_STREAM_INTERVAL = 32


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A question ready to be sent, as often as it takes. ``length`` is that of the body in bytes."""

    picture: Picture
    head: bytes
    tail: bytes

    @property
    def length(self) -> int:
        return len(self.head) + (len(self.picture.data) + 2) // 3 * 4 + len(self.tail)

    def pieces(self) -> Iterator[bytes]:
        """The body in order. A small one comes in one piece."""
        data = self.picture.data
        if len(data) <= _PIECE:
            yield b"".join((self.head, binascii.b2a_base64(data, newline=False), self.tail))
            return
        yield self.head + binascii.b2a_base64(data[:_PIECE], newline=False)
        view = memoryview(data)
        for start in range(_PIECE, len(data), _PIECE):
            yield binascii.b2a_base64(view[start : start + _PIECE], newline=False)
        yield self.tail

    async def stream(self) -> AsyncIterator[bytes]:
        for piece in self.pieces():
            yield piece


def chat_request(served_model: str, picture: Picture, prompt: Prompt, *, is_streamed: bool = False) -> ChatRequest:
    """The question to ``served_model``; ``is_streamed`` asks for the answer token by token."""
    head = {"model": served_model, **sampling_keys(prompt.sampling)}
    if is_streamed:
        head |= {"stream": True, "stream_options": {"include_usage": True}, "stream_interval": _STREAM_INTERVAL}
    opening = _json(head)[:-1] + ',"messages":[{"role":"system","content":""},{"role":"user","content":['
    image = f'{{"type":"image_url","image_url":{{"url":"data:{picture.media_type};base64,'
    closing = '"}},' + _json({"type": "text", "text": prompt.text}) + "]}]}"
    return ChatRequest(picture, (opening + image).encode(), closing.encode())


def sampling_keys(sampling: Sampling) -> dict[str, Any]:
    """The top-level keys of the request. Both names of the penalty are given: vLLM reads ``repetition_penalty``,
    llama-server ``repeat_penalty``, and each leaves the other's alone."""
    keys: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": 1.0,
        "top_k": -1,
        "repetition_penalty": sampling.repetition_penalty,
        "repeat_penalty": sampling.repetition_penalty,
        "skip_special_tokens": sampling.skip_special_tokens,
        "max_tokens": sampling.max_tokens,
    }
    if sampling.repetition_guard is not None:
        keys["repetition_detection"] = repetition_detection(sampling.repetition_guard)
    return keys


def repetition_detection(guard: RepetitionGuard) -> dict[str, int]:
    """vLLM's ``RepetitionDetectionParams`` (0.17 and later)."""
    return {
        "max_pattern_size": guard.max_pattern,
        "min_pattern_size": guard.min_pattern,
        "min_count": guard.min_count,
    }


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))

"""An answer of an OpenAI-compatible server, whole or streamed, turned into an ``Answer``.

What is not an answer (no JSON, no choice, a request the server gave up) is a failed request, never an empty text: an
empty text is something the model said.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Callable
from typing import Any

from hunyuan_ocr.engines.base import Answer, FinishReason
from hunyuan_ocr.engines.server_faults import Blame, FailedRequestError, fault_of_response

_FINISH_REASONS = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "repetition": FinishReason.REPETITION,
}


def answer_of(body: bytes) -> Answer:
    """From the body of a ``chat.completion``. Raises FailedRequestError."""
    try:
        content = json.loads(body)
        choice = content["choices"][0]
        text = choice["message"]["content"]
    except (ValueError, LookupError, TypeError):
        raise _garbled(body) from None
    if text is not None and not isinstance(text, str):
        raise _garbled(body)
    prompt_tokens, completion_tokens = _usage(content)
    reason = finish_reason(choice.get("finish_reason"), choice.get("stop_reason"))
    return Answer(text or "", reason, prompt_tokens, completion_tokens)


async def answer_of_stream(lines: AsyncIterable[bytes], on_first_token: Callable[[], None]) -> Answer:
    """From the lines of an event stream; ``on_first_token`` is called when the server begins to generate. Raises
    FailedRequestError when the stream breaks off: half an answer is none."""
    texts: list[str] = []
    tokens = (0, 0)
    ended: tuple[object, object] | None = None
    async for line in lines:
        if not line.startswith(b"data:"):
            continue
        payload = line[5:].strip()
        if payload == b"[DONE]":
            break
        try:
            event = json.loads(payload)
        except ValueError:
            raise _garbled(payload) from None
        if not isinstance(event, dict):
            raise _garbled(payload)
        if event.get("error"):
            raise _fault_in_stream(event)
        tokens = _usage(event) if event.get("usage") else tokens
        for choice in event.get("choices") or ():
            piece = (choice.get("delta") or {}).get("content") or ""
            texts.append(piece)
            if choice.get("finish_reason"):
                ended = (choice["finish_reason"], choice.get("stop_reason"))
            # The chunk that only names the role may come before the picture is encoded.
            if piece or ended:
                on_first_token()
    if ended is None:
        raise FailedRequestError(Blame.NETWORK, "half_read", "broke off in the middle of its answer")
    return Answer("".join(texts), finish_reason(*ended), *tokens)


def finish_reason(reason: object, stop_reason: object) -> FinishReason:
    """What the server's reason means. Raises FailedRequestError for a request that was not answered.

    Some gateways call every end ``stop`` and leave vLLM's own reason beside it. A reason that nobody knows counts as
    an unfinished answer.
    """
    if stop_reason == "repetition_detected":
        return FinishReason.REPETITION
    if reason in ("abort", "error"):
        raise FailedRequestError(Blame.SERVER, "aborted", "gave up the question before its answer was complete")
    if reason == "content_filter":
        raise FailedRequestError(Blame.REQUEST, "content_filter", "withheld the answer (content filter)")
    return _FINISH_REASONS.get(str(reason), FinishReason.LENGTH)


def _usage(content: dict[str, Any]) -> tuple[int, int]:
    usage = content.get("usage")
    if not isinstance(usage, dict):
        return 0, 0
    return int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)


def _fault_in_stream(event: dict[str, Any]) -> FailedRequestError:
    """vLLM reports an error met while it streams inside a stream that began with status 200."""
    error = event["error"]
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return fault_of_response(status, {}, json.dumps(event).encode())


def _garbled(body: bytes) -> FailedRequestError:
    if not body:
        return FailedRequestError(Blame.NETWORK, "empty_body", "sent an empty answer")
    return FailedRequestError(Blame.NETWORK, "garbled", "sent something that is not a chat completion")

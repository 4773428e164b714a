"""The shapes of what ``model_stub`` sends: envelopes and refusals as a real vLLM 0.32.0 gave them; llama-server's,
overload and out of memory by their documentation."""

from __future__ import annotations

import json
import time
from typing import Any

from aiohttp import web


def models(model: str, max_model_len: int) -> dict[str, Any]:
    """``/v1/models``."""
    entry = {
        "id": model,
        "object": "model",
        "created": int(time.time()),
        "owned_by": "vllm",
        "root": "/models/tiny",
        "parent": None,
        "max_model_len": max_model_len,
    }
    return {"object": "list", "data": [entry]}


def properties(version: str, context: int) -> dict[str, Any]:
    """llama-server's ``/props``."""
    return {
        "build_info": version,
        "model_path": "/models/hyocr-f16.gguf",
        "modalities": {"vision": True, "audio": False},
        "default_generation_settings": {"n_ctx": context},
    }


def metrics(model: str, running: int, preemptions: int) -> str:
    """``/metrics``, the families a client may look at."""
    labels = f'{{engine="0",model_name="{model}"}}'
    lines = [
        "# TYPE vllm:num_requests_running gauge",
        f"vllm:num_requests_running{labels} {float(running)}",
        "# TYPE vllm:num_requests_waiting gauge",
        f"vllm:num_requests_waiting{labels} 0.0",
        "# TYPE vllm:num_preemptions_total counter",
        f"vllm:num_preemptions_total{labels} {float(preemptions)}",
    ]
    return "\n".join(lines) + "\n"


def completion(model: str, version: str, text: str, finish: str) -> dict[str, Any]:
    """The body of a whole answer."""
    message = {"role": "assistant", "content": text, "refusal": None, "annotations": None, "audio": None}
    message |= {"function_call": None, "reasoning": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish, "stop_reason": None}
    return {
        "id": "chatcmpl-ae223766eaa4d32e",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice | {"token_ids": None, "routed_experts": None}],
        "service_tier": None,
        "system_fingerprint": f"vllm-{version}-16c64b28",
        "usage": usage(text),
        "prompt_logprobs": None,
        "kv_transfer_params": None,
    }


def chunk(model: str, choices: list[dict[str, Any]], **more: object) -> bytes:
    """One event of a streamed answer."""
    event = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": model}
    return b"data: " + json.dumps(event | {"choices": choices} | more).encode() + b"\n\n"


def usage(text: str) -> dict[str, Any]:
    """The token counts beside an answer."""
    tokens = max(1, len(text) // 2)
    return {"prompt_tokens": 164, "total_tokens": 164 + tokens, "completion_tokens": tokens}


def error(
    status: int, message: str, kind: str = "BadRequestError", param: str | None = None, **headers: str
) -> web.Response:
    """A refusal in vLLM's envelope."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": status}}
    return web.json_response(body, status=status, headers=headers)


def response_of(fate: str) -> web.Response | None:
    """The refusal that a fate of ``ModelStub`` or a bare status number means; None when it means none."""
    if fate in ("error_500", "500"):
        return error(500, "EngineCore encountered an issue. See stack trace for the root cause.", "InternalServerError")
    if fate == "out_of_memory":
        text = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.65 GiB"
        return error(500, text, "InternalServerError")
    if fate == "bomb":
        text = (
            "Image size (400000000 pixels) exceeds limit of 178956970 pixels, could be decompression bomb DOS attack."
        )
        return error(500, text, "InternalServerError")
    if fate == "burst_503":
        return error(503, "Server overloaded", "ServiceUnavailableError", **{"Retry-After": "0.1"})
    if fate in ("too_many_429", "429"):
        return error(429, "Too many requests", "RateLimitError", **{"Retry-After": "0.1"})
    if fate == "context":
        return error(
            400,
            "This model's maximum context length is 2048 tokens. However, your prompt contains at least 2049 input "
            "tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input "
            "prompt. (parameter=input_tokens, value=2049)",
        )
    if fate.isdigit():
        return web.Response(text=f"<html><h1>{fate}</h1></html>", status=int(fate), content_type="text/html")
    return None

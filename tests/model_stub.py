"""A server that speaks exactly like vLLM 0.32 (or llama-server) and fails as servers and networks do.

For tests, inside the process (``async with ModelStub(...)`` or ``running(...)`` in a thread), and for benchmarks as a
process of its own (``python -m tests.model_stub --port 8000 --latency 2``). It reads no picture: answers come from a
table by picture, or from a function. Shapes and texts are those a real vLLM 0.32.0 gave; what it does not imitate is
speed (one answer takes as long as ``Latency`` says, however many are under way).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import random
import re
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any, Self

from aiohttp import web

from tests import stub_shapes as shapes
from tests.stub_settings import MODEL, PLAIN, Faults, Latency, StubSettings


@dataclass(frozen=True)
class Seen:
    """A question as it came in. ``body`` has everything but the picture's base64."""

    body: dict[str, Any]
    picture: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def text(self) -> str:
        return str(self.body["messages"][-1]["content"][-1]["text"])


def _echo(picture: bytes, text: str) -> str:
    return f"{hashlib.sha256(picture).hexdigest()[:16]} {text}" if picture else "an answer"


class ModelStub:
    """``answers`` by SHA-256 of the picture, else ``answer(picture, prompt)``. ``script`` holds the fates of the next
    requests (names of ``Faults`` fields, a status number, or "" for none); ``fate_of`` decides by the question."""

    def __init__(self, settings: StubSettings = PLAIN, answer: Callable[[bytes, str], str] = _echo) -> None:
        self.settings = settings
        self.answer = answer
        self.answers: dict[str, str] = {}
        self.script: deque[str] = deque()
        self.fate_of: Callable[[Seen], str] | None = None
        self.is_well = True
        self.is_hanging = False
        self.seen: list[Seen] = []
        self.fates: Counter[str] = Counter()
        self.in_flight = 0
        self.most_in_flight = 0
        self.preemptions = 0
        self.cut_off = 0
        self.url = ""
        self._dice = random.Random(settings.seed)
        self._loaded_at = 0.0
        self._burst_until = 0.0
        self._encoder: deque[tuple[bytes, asyncio.Future[bytes]]] = deque()
        self._encoder_task: asyncio.Task[None] | None = None
        self._kept: dict[str, bytes] = {}
        self.encoder_batches: list[int] = []
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0, tls: ssl.SSLContext | None = None) -> Self:
        app = web.Application(client_max_size=self.settings.max_body)
        routes = {"/v1/models": self._models, "/metrics": self._metrics}
        if self.settings.flavour != "bare":
            routes["/health"] = self._health
        if self.settings.flavour == "vllm":
            routes["/version"] = self._version
        if self.settings.flavour == "llama_server":
            routes["/props"] = self._props
        app.add_routes([web.get(path, handler) for path, handler in routes.items()])
        app.add_routes([web.post("/v1/chat/completions", self._chat)])
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=tls, backlog=1024)
        await site.start()
        bound = self._runner.addresses[0][1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{bound}"
        self._loaded_at = time.monotonic() + self.settings.loads_for
        return self

    async def stop(self) -> None:
        """At once, as a killed server: what is under way is torn down."""
        if self._encoder_task:
            self._encoder_task.cancel()
        if self._runner:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def questions(self) -> int:
        return sum(self.fates.values())

    # -- what a server says about itself -----------------------------------------------------------------------

    @property
    def _is_loading(self) -> bool:
        return time.monotonic() < self._loaded_at

    def _loading(self) -> web.Response:
        body = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
        return web.json_response(body, status=503)

    def _lacks_key(self, request: web.Request) -> bool:
        key = self.settings.api_key
        return bool(key) and request.headers.get("Authorization") != f"Bearer {key}"

    async def _health(self, request: web.Request) -> web.Response:
        if self.is_hanging:
            await asyncio.sleep(3600)
        if self._is_loading:
            return self._loading()
        return web.Response(status=200 if self.is_well else 503)

    async def _version(self, request: web.Request) -> web.Response:
        return self._loading() if self._is_loading else web.json_response({"version": self.settings.version})

    async def _props(self, request: web.Request) -> web.Response:
        if self._lacks_key(request):
            return web.json_response({"error": {"message": "Invalid API Key", "code": 401}}, status=401)
        if self._is_loading:
            return self._loading()
        return web.json_response(shapes.properties(self.settings.version, self.settings.max_model_len))

    async def _models(self, request: web.Request) -> web.Response:
        if self._lacks_key(request) and self.settings.flavour != "llama_server":
            return web.json_response({"error": "Unauthorized"}, status=401)
        if self._is_loading:
            return self._loading()
        return web.json_response(shapes.models(self.settings.model, self.settings.max_model_len))

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(text=shapes.metrics(self.settings.model, self.in_flight, self.preemptions))

    # -- a question --------------------------------------------------------------------------------------------

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if self._lacks_key(request):
            return web.json_response({"error": "Unauthorized"}, status=401)
        if self._is_loading:
            return self._loading()
        if request.content_length and request.content_length > self.settings.max_body:
            return web.Response(text="<html>413 Request Entity Too Large</html>", status=413, content_type="text/html")
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._answered(request, await request.read())
        except (asyncio.CancelledError, ConnectionResetError):
            self.cut_off += 1
            raise
        finally:
            self.in_flight -= 1

    async def _answered(self, request: web.Request, raw: bytes) -> web.StreamResponse:
        seen = Seen({"model": self.settings.model}, b"")
        if self.settings.reads_body:
            seen = _seen(raw)
            self.seen.append(seen)
            if (refusal := self._refusal(seen)) is not None:
                return refusal
        fate = self._fate(seen)
        self.fates[fate] += 1
        if self.is_hanging or fate == "hang":
            await asyncio.sleep(3600)
        if fate == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        picture = await self._encoded(seen.picture) if self.settings.mixes_pictures else seen.picture
        streams = bool(seen.body.get("stream"))
        seconds = self.settings.latency.draw(self._dice)
        if refusal := shapes.response_of(fate):
            # A server that refuses does so at once; one that fails does so somewhere on the way.
            await asyncio.sleep(seconds * self._dice.random() if fate == "error_500" else 0.0)
            return refusal
        if not streams:
            await asyncio.sleep(seconds)
        text = self.answers.get(hashlib.sha256(picture).hexdigest()) if self.answers else None
        if text is None:
            asked = seen.text if seen.picture else ""
            # A function of a test's own may take its time; /health must be answered meanwhile.
            text = (
                _echo(picture, asked) if self.answer is _echo else await asyncio.to_thread(self.answer, picture, asked)
            )
        finish = "length" if fate == "length" else "stop"
        if streams:
            return await self._stream(request, text, finish, seconds, fate)
        return await self._whole(
            request,
            json.dumps(shapes.completion(self.settings.model, self.settings.version, text, finish)).encode(),
            fate,
        )

    def _refusal(self, seen: Seen) -> web.Response | None:
        """What vLLM says to a question it does not take, in its words."""
        model, limit = seen.body.get("model"), self.settings.max_model_len
        if model != self.settings.model and self.settings.flavour != "llama_server":
            text = f"The model `{model}` does not exist. Valid aliases: {self.settings.model}."
            return shapes.error(404, text, "NotFoundError", "model")
        tokens = seen.body.get("max_tokens", 0)
        if tokens > limit:
            return shapes.error(
                400,
                f"max_tokens={tokens} cannot be greater than max_model_len={limit}. Please request fewer output "
                f"tokens. (parameter=max_tokens, value={tokens})",
            )
        if not seen.picture.startswith((b"\xff\xd8", b"\x89PNG", b"pic")):
            return shapes.error(400, "Failed to load image: cannot identify image file <_io.BytesIO object>")
        return None

    def _fate(self, seen: Seen) -> str:
        if self.script:
            return self.script.popleft()
        if self.fate_of is not None and (fate := self.fate_of(seen)):
            return fate
        if time.monotonic() < self._burst_until:
            return "burst_503"
        faults, draw = self.settings.faults, self._dice.random()
        for fault in fields(faults):
            share = getattr(faults, fault.name) if fault.name != "burst_seconds" else 0.0
            if draw < share:
                if fault.name == "burst_503":
                    self._burst_until = time.monotonic() + faults.burst_seconds
                return fault.name
            draw -= share
        return ""

    async def _encoded(self, picture: bytes) -> bytes:
        """The picture the encoder made of it: that of the first of its batch, as the caches keep it."""
        digest = hashlib.sha256(picture).hexdigest()
        if digest in self._kept:
            return self._kept[digest]
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._encoder.append((picture, future))
        if self._encoder_task is None or self._encoder_task.done():
            self._encoder_task = asyncio.create_task(self._encode())
        self._kept[digest] = await future
        return self._kept[digest]

    async def _encode(self) -> None:
        while self._encoder:
            # What arrives while one step runs is the batch of the next.
            await asyncio.sleep(self.settings.encoder_seconds)
            batch = list(self._encoder)
            self._encoder.clear()
            self.encoder_batches.append(len(batch))
            for _, future in batch:
                if not future.done():
                    future.set_result(batch[0][0])

    async def _whole(self, request: web.Request, body: bytes, fate: str) -> web.StreamResponse:
        if fate == "garbled":
            return web.Response(body=body[: len(body) // 2], content_type="application/json")
        if fate not in ("half_body", "slow_body"):
            return web.Response(body=body, content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
        await response.prepare(request)
        if fate == "half_body":
            await response.write(body[: len(body) // 2])
            await _tear_down(request)
            return response
        for start in range(0, len(body), 64):
            await response.write(body[start : start + 64])
            await asyncio.sleep(0.02)
        return response

    async def _stream(
        self, request: web.Request, text: str, finish: str, seconds: float, fate: str
    ) -> web.StreamResponse:
        model, pieces = self.settings.model, re.findall(r".{1,8}", text, re.DOTALL)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        await response.write(shapes.chunk(model, [{"index": 0, "delta": {"role": "assistant", "content": ""}}]))
        for index, piece in enumerate(pieces):
            if fate == "half_body" and index >= len(pieces) // 2:
                await _tear_down(request)
                return response
            await response.write(
                shapes.chunk(model, [{"index": 0, "delta": {"content": piece}, "finish_reason": None}])
            )
            await asyncio.sleep(seconds / len(pieces))
        last = {"index": 0, "delta": {"content": ""}, "finish_reason": finish, "stop_reason": None}
        await response.write(shapes.chunk(model, [last]))
        await response.write(shapes.chunk(model, [], usage=shapes.usage(text)))
        await response.write(b"data: [DONE]\n\n")
        return response


_DATA_URL = re.compile(rb'"url": ?"data:([a-z/]+);base64,([A-Za-z0-9+/=]*)"')


def _seen(raw: bytes) -> Seen:
    found = _DATA_URL.search(raw)
    if found is None:
        return Seen(json.loads(raw), b"")
    body = json.loads(raw[: found.start(2)] + raw[found.end(2) :])
    return Seen(body, base64.b64decode(found.group(2)))


async def _tear_down(request: web.Request) -> None:
    await asyncio.sleep(0.01)
    assert request.transport is not None
    request.transport.abort()


@contextmanager
def running(
    settings: StubSettings = PLAIN, port: int = 0, answer: Callable[[bytes, str], str] = _echo
) -> Iterator[ModelStub]:
    """A stub in a thread with a loop of its own, for callers that are not asynchronous."""
    stub = ModelStub(settings, answer)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(stub.start(port), loop).result(10)
        yield stub
    finally:
        asyncio.run_coroutine_threadsafe(stub.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for a vLLM server: answers without a model.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--api-key", default="")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--loads-for", type=float, default=0.0)
    parser.add_argument("--reads-body", action="store_true", help="look into each body (costs a few milliseconds)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--sigma", type=float, default=0.0)
    parser.add_argument("--straggling", type=float, default=0.0)
    for fault in fields(Faults):
        parser.add_argument(f"--{fault.name.replace('_', '-')}", type=float, default=fault.default)
    given = parser.parse_args()
    settings = StubSettings(
        model=given.model,
        api_key=given.api_key,
        seed=given.seed,
        loads_for=given.loads_for,
        reads_body=given.reads_body,
        latency=Latency(given.latency, given.sigma, given.straggling),
        faults=Faults(**{fault.name: getattr(given, fault.name) for fault in fields(Faults)}),
    )

    async def serve_for_ever() -> None:
        stub = await ModelStub(settings).start(given.port)
        print(stub.url, flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve_for_ever())


if __name__ == "__main__":
    main()

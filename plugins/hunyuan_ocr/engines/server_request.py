"""One request to one endpoint: the session it goes through, the gate it may wait at, the answer or what went wrong.

Asks once. Whether to ask again is decided in ``asking``.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hunyuan_ocr.engines.base import Answer, Picture, Prompt
from hunyuan_ocr.engines.chat_answer import answer_of, answer_of_stream
from hunyuan_ocr.engines.chat_request import ChatRequest, chat_request
from hunyuan_ocr.engines.endpoints import Endpoint
from hunyuan_ocr.engines.gate import Passage
from hunyuan_ocr.engines.retrying import Patience
from hunyuan_ocr.engines.server_faults import Blame, FailedRequestError, fault_of_exception, fault_of_response
from hunyuan_ocr.engines.server_options import ServerOptions
from hunyuan_ocr.engines.server_start import read_at_most
from hunyuan_ocr.exceptions import ConfigurationError

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger(__name__)

_MOST_BYTES_OF_A_REFUSAL = 65_536
#: uvicorn closes an idle connection after 5 s; a question sent at that very moment would be lost.
_KEEP_ALIVE_SECONDS = 4.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def open_session(options: ServerOptions) -> aiohttp.ClientSession:
    """A session that carries the key to the endpoints. Raises ConfigurationError for a CA file that is none."""
    import aiohttp

    headers = {"Accept-Encoding": "identity"}
    if options.api_key:
        headers["Authorization"] = f"Bearer {options.api_key}"
        for url in options.base_urls:
            if url.startswith("http://") and urlsplit(url).hostname not in _LOOPBACK:
                log.warning(
                    "engine server %s is spoken to without TLS: pages and API key travel readable",
                    url[len("http://") :],
                )
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS, ssl=_trust(options)),
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(
            total=None, connect=options.connect_timeout, sock_connect=options.connect_timeout
        ),
    )


def _trust(options: ServerOptions) -> ssl.SSLContext | bool:
    if not any(url.startswith("https://") for url in options.base_urls):
        return True
    if not options.verify_tls:
        log.warning("%s: TLS certificates are not verified; anybody on the way can read the pages", options.connection)
        return False
    try:
        return ssl.create_default_context(cafile=options.ca_file or None)
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(
            f"{options.connection}: the CA file {options.ca_file} holds no certificate in PEM form ({error.strerror})."
        ) from None


class ServerRequests:
    """Sends questions to endpoints."""

    def __init__(
        self, session: aiohttp.ClientSession, served_model: str, options: ServerOptions, first_tokens: Patience
    ) -> None:
        self._session = session
        self._served_model = served_model
        self._first_tokens = first_tokens
        # Before anything is known of the server: long enough for a first picture, short enough to free the gate.
        self._longest_at_gate = min(options.progress_timeout, options.request_timeout) / 4

    async def send(
        self, endpoint: Endpoint, picture: Picture, prompt: Prompt, on_begin: Callable[[], None], *, cuts: int = 0
    ) -> Answer:
        """The answer, with its own seconds. Raises FailedRequestError.

        ``on_begin`` is called when the request goes out; at a gated endpoint, when the server begins to answer. There,
        a request that does not begin in time is cut, because all others wait behind it; ``cuts`` is how often that has
        happened to this question, and doubles the patience each time.
        """
        endpoint.in_flight += 1
        try:
            if endpoint.is_gated:
                async with endpoint.gate.passage() as passage:
                    started = time.monotonic()
                    request = chat_request(self._served_model, picture, prompt, is_streamed=True)
                    answer = await self._through_gate(endpoint, request, passage, on_begin, cuts)
            else:
                started = time.monotonic()
                on_begin()
                answer = await self._exchange(endpoint, chat_request(self._served_model, picture, prompt))
        except FailedRequestError:
            raise
        except Exception as error:
            raise fault_of_exception(error) or error from None
        finally:
            endpoint.in_flight -= 1
        return replace(answer, seconds=time.monotonic() - started)

    async def _through_gate(
        self, endpoint: Endpoint, request: ChatRequest, passage: Passage, on_begin: Callable[[], None], cuts: int
    ) -> Answer:
        started = time.monotonic()
        limit = self._first_tokens.limit(0) or self._longest_at_gate

        def on_first_token() -> None:
            if passage.is_inside:
                passage.leave()
                cut.reschedule(None)
                self._first_tokens.learn(0, time.monotonic() - started)
                on_begin()

        try:
            async with asyncio.timeout(limit * 2.0**cuts) as cut:
                return await self._exchange(endpoint, request, on_first_token)
        except TimeoutError:
            if not cut.expired():
                raise
        raise FailedRequestError(Blame.SERVER, "cut_at_gate", "did not begin to answer in its usual time")

    async def _exchange(
        self, endpoint: Endpoint, request: ChatRequest, on_first_token: Callable[[], None] | None = None
    ) -> Answer:
        headers = {"Content-Type": "application/json", "Content-Length": str(request.length)}
        async with self._session.post(
            f"{endpoint.url}/v1/chat/completions", data=request.stream(), headers=headers, allow_redirects=False
        ) as response:
            if response.status != 200:
                body = await read_at_most(response, _MOST_BYTES_OF_A_REFUSAL)
                raise fault_of_response(response.status, response.headers, body)
            if on_first_token is None or response.content_type != "text/event-stream":
                return answer_of(await response.read())
            try:
                return await answer_of_stream(response.content, on_first_token)
            except ValueError:
                # aiohttp's word for a line longer than its buffer.
                raise FailedRequestError(Blame.NETWORK, "garbled", "sent a line too long for an event stream") from None

"""The engine behind an OpenAI-compatible server: vLLM, llama-server, or whatever speaks like them.

Reaches one or several endpoints, finds out what they serve, has each prove itself (``engines.probe``) before it is
asked about a page, and watches them. It does not start, stop or configure a server, never follows a redirect with the
key in hand, and lets no key, picture or prompt into a message.
"""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Self

from hunyuan_ocr.engines.asking import Asking
from hunyuan_ocr.engines.base import Answer, Picture, Prompt
from hunyuan_ocr.engines.download import licence_notice
from hunyuan_ocr.engines.endpoints import Endpoint, Endpoints, Health
from hunyuan_ocr.engines.probe import ProbeFailedError, Verdict, run_probe
from hunyuan_ocr.engines.retrying import Patience
from hunyuan_ocr.engines.server_options import Gate, ServerOptions
from hunyuan_ocr.engines.server_request import ServerRequests, open_session
from hunyuan_ocr.engines.server_start import Reception, Served
from hunyuan_ocr.engines.spec import ModelSpec
from hunyuan_ocr.engines.stats import EngineStats
from hunyuan_ocr.exceptions import EngineRefusedError, EngineUnavailableError

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger(__name__)

_LONGEST_KNOCK = 3.0


class OpenAIServerEngine:
    """See ``engines.base.Engine``. ``stats`` may be read at any time; an engine starts once."""

    def __init__(self, spec: ModelSpec, options: ServerOptions) -> None:
        self._spec = spec
        self._options = options
        self._served: Served | None = None
        self._session: aiohttp.ClientSession | None = None
        self._endpoints = Endpoints(options.base_urls, self._health_of, self._receive, options.health_interval)
        self._preemptions: dict[Endpoint, float] = {}
        self.stats = EngineStats()

    @property
    def key(self) -> str:
        if self._served is None:
            raise RuntimeError("The engine's key is known once it has started.")
        name = self._options.served_model
        return f"{self._spec.key}+{self._served.runtime}" + (
            f",name={name}" if name not in ("", self._spec.model) else ""
        )

    @property
    def capacity(self) -> int:
        return self._options.max_in_flight

    async def __aenter__(self) -> Self:
        self._session = open_session(self._options)
        self._reception = Reception(self._session, self._options, self._spec)
        first_tokens = Patience(self._options.straggler_factor, self._options.straggler_floor)
        requests = ServerRequests(self._session, self._reception.served_model, self._options, first_tokens)
        self._asking = Asking(self._endpoints, requests, self._options, self.stats)
        if "hunyuan" in self._reception.served_model.lower():
            log.info("%s", licence_notice())
        try:
            await self._knock_until_one_opens()
        except BaseException:
            await self.__aexit__()
            raise
        self._endpoints.start_watching()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._endpoints.stop_watching()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, picture: Picture, prompt: Prompt) -> Answer:
        """See ``engines.base.Engine``."""
        served = self._served
        if served is None or self._session is None:
            raise RuntimeError("The engine has not been started: use it as `async with engine`.")
        if served.max_tokens is not None and prompt.sampling.max_tokens >= served.max_tokens:
            raise EngineRefusedError(
                f"The engine's server has a context of {served.max_tokens} tokens, and one answer alone may have "
                f"{prompt.sampling.max_tokens}. Start it with a larger --max-model-len (llama-server: --ctx-size), or "
                "ask for shorter answers."
            )
        return await self._asking.answer(picture, prompt)

    async def _knock_until_one_opens(self) -> None:
        """Receives every endpoint; those that are still loading when the first is ready are let in later."""
        until = time.monotonic() + self._options.startup_timeout
        wait = 0.5
        while True:
            results = await asyncio.gather(
                *(self._receive(endpoint) for endpoint in self._endpoints), return_exceptions=True
            )
            unavailable: EngineUnavailableError | None = None
            for endpoint, result in zip(self._endpoints, results, strict=True):
                if isinstance(result, EngineUnavailableError):
                    unavailable = result
                elif isinstance(result, BaseException):
                    raise result
                else:
                    self._endpoints.admit(endpoint)
            if unavailable is None:
                return
            if self._endpoints.admitted:
                log.warning("started with %d of %d engine servers: %s", *self._count(), unavailable)
                return
            if time.monotonic() + wait > until:
                raise EngineUnavailableError(
                    f"{unavailable} Waited {self._options.startup_timeout:g} s for it to start."
                )
            log.info("waiting for the engine server: %s", unavailable)
            await asyncio.sleep(wait)
            wait = min(_LONGEST_KNOCK, 1.5 * wait)

    def _count(self) -> tuple[int, int]:
        return len(self._endpoints.admitted), len(self._options.base_urls)

    async def _receive(self, endpoint: Endpoint) -> None:
        """All that an endpoint must show before its first page, also when it comes back as another version. Raises
        EngineRefusedError and EngineUnavailableError."""
        served = await self._reception.served(endpoint.url, endpoint.name)
        if self._served is not None and served.runtime != self._served.runtime:
            raise EngineRefusedError(
                f"Engine server {endpoint.name} runs {served.runtime}, the others run {self._served.runtime}: answers "
                "of two versions must not be mixed in one run. Serve the same everywhere."
            )
        self._served = self._served or served
        if self._options.gate is Gate.ALWAYS:
            self._shut_gate(endpoint)
        if self._options.probe and endpoint.version != served.runtime:
            await self._prove(endpoint)
        endpoint.version = served.runtime

    async def _prove(self, endpoint: Endpoint) -> None:
        ask = partial(self._asking.answer, only=endpoint)
        try:
            report = await run_probe(ask, self._spec)
        except ProbeFailedError as error:
            is_mended_by_gate = error.report.verdict is Verdict.MIXED and not endpoint.is_gated
            if self._options.gate is not Gate.WHEN_NEEDED or not is_mended_by_gate:
                raise
            log.warning(
                "engine server %s mixes pictures of a batch and is driven one at a time: %s", endpoint.name, error
            )
            self._shut_gate(endpoint)
            report = await run_probe(ask, self._spec)
        log.info("engine server %s passed its probe: %s", endpoint.name, report)

    def _shut_gate(self, endpoint: Endpoint) -> None:
        endpoint.is_gated = True
        self.stats.is_gated = True

    async def _health_of(self, endpoint: Endpoint) -> Health:
        health = await self._reception.health(endpoint.url, endpoint.version)
        self.stats.ejections = self._endpoints.ejections
        if endpoint.is_gated and health is Health.WELL:
            await self._watch_preemptions(endpoint)
        return health

    async def _watch_preemptions(self, endpoint: Endpoint) -> None:
        """A preempted request has its picture encoded again, perhaps beside another: the gate cannot see that."""
        count = await self._reception.preemptions(endpoint.url)
        if count is None:
            return
        known = self._preemptions.setdefault(endpoint, count)
        if count > known:
            self._preemptions[endpoint] = count
            self.stats.preemptions += int(count - known)
            log.warning(
                "engine server %s put %d requests back and computed them again; behind the gate their pictures may "
                "have been mixed. Ask less at once (max_in_flight) or give it more KV cache",
                endpoint.name,
                int(count - known),
            )

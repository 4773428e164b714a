"""What a server says about itself before the first question: is it up, does it take the key, what does it serve.

vLLM answers ``/health`` and ``/version`` without a key and is deaf while it loads; llama-server answers 503 while it
loads and lists its models to anybody; other servers may know neither address, and are judged by ``/v1/models`` alone.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hunyuan_ocr.engines.compat import check_vllm_version
from hunyuan_ocr.engines.endpoints import Health
from hunyuan_ocr.engines.server_faults import Blame, FailedRequestError, fault_of_exception, fault_of_response
from hunyuan_ocr.engines.server_options import ServerOptions
from hunyuan_ocr.engines.spec import ModelSpec
from hunyuan_ocr.exceptions import EngineRefusedError, EngineUnavailableError

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger(__name__)

#: More than the connection's own time: a server at work renders pictures on the same thread that answers.
_CHECK_SECONDS = 15.0
_MOST_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class Served:
    """What stands behind an endpoint. ``runtime`` names software and version (``vllm=0.33.0``); ``max_tokens`` is the
    longest context in tokens, None when the server does not say."""

    runtime: str
    max_tokens: int | None = None


class Reception:
    """Asks one endpoint the questions that need no model."""

    def __init__(self, session: aiohttp.ClientSession, options: ServerOptions, spec: ModelSpec) -> None:
        self._session = session
        self._options = options
        self._spec = spec

    @property
    def served_model(self) -> str:
        return self._options.served_model or self._spec.model

    async def served(self, url: str, name: str) -> Served:
        """What is served there. Raises EngineRefusedError for a wrong key, model or version, EngineUnavailableError
        when it cannot be reached or is still loading."""
        version = await self._version(url, name)
        try:
            # Before the list of models: llama-server gives that while it loads, and to anybody.
            properties = {} if version else await self._object(url, "/props", may_lack=True)
            models = await self._object(url, "/v1/models")
        except FailedRequestError as fault:
            raise self._error(fault, name) from None
        entry = self._entry(models, name)
        if version:
            for warning in check_vllm_version(version, self._spec.family):
                # The probe proves what the version only suggests.
                log.log(logging.INFO if self._options.probe else logging.WARNING, "engine server %s: %s", name, warning)
            return Served(f"vllm={version}", _whole(entry.get("max_model_len")))
        if "build_info" in properties:
            return self._llama(properties, name)
        return Served("server", _whole(entry.get("max_model_len")))

    async def health(self, url: str, runtime: str) -> Health:
        """How an endpoint that was admitted is doing now. Never raises for what a server does."""
        try:
            status, body = await self._get(url, "/health")
            if status in (404, 405, 501):
                status, body = await self._get(url, "/v1/models")
            if status != 200:
                return Health.OUT
            if runtime.startswith("vllm="):
                status, body = await self._get(url, "/version")
                version = _object_of(body).get("version")
                if status == 200 and version and runtime != f"vllm={version}":
                    return Health.REPLACED
        except FailedRequestError as fault:
            return Health.OUT if fault.name == "unreachable" else Health.LATE
        return Health.WELL

    async def preemptions(self, url: str) -> float | None:
        """How many requests vLLM has put back and computed again since it started; None where it does not say."""
        try:
            status, body = await self._get(url, "/metrics")
        except FailedRequestError:
            return None
        counts = [
            float(line.rsplit(" ", 1)[1])
            for line in body.decode("utf-8", "replace").splitlines()
            if line.startswith("vllm:num_preemptions_total")
        ]
        return sum(counts) if status == 200 and counts else None

    async def _version(self, url: str, name: str) -> str:
        try:
            status, body = await self._get(url, "/version")
        except FailedRequestError as fault:
            raise self._error(fault, name) from None
        version = _object_of(body).get("version") if status == 200 else None
        return version if isinstance(version, str) else ""

    def _entry(self, models: dict[str, Any], name: str) -> dict[str, Any]:
        listed = models.get("data")
        entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
        for entry in entries:
            if entry.get("id") == self.served_model:
                return entry
        names = ", ".join(str(entry.get("id", ""))[:100] for entry in entries[:20]) or "nothing"
        raise EngineRefusedError(
            f"Engine server {name} does not serve {self.served_model}; it serves: {names}. Set the served model name "
            f"of {self._options.connection} to one of these, or start the server with --served-model-name "
            f"{self.served_model} (llama-server: --alias)."
        )

    def _llama(self, properties: dict[str, Any], name: str) -> Served:
        modalities = properties.get("modalities")
        if isinstance(modalities, dict) and modalities.get("vision") is False:
            raise EngineRefusedError(
                f"Engine server {name} takes no pictures. Start llama-server with --mmproj and the f16 projector file."
            )
        settings = properties.get("default_generation_settings")
        context = _whole(settings.get("n_ctx")) if isinstance(settings, dict) else None
        # The file's name tells the quantisation, which decides answers as the version does.
        file = str(properties.get("model_path", "")).replace("\\", "/").rsplit("/", 1)[-1]
        return Served(f"llama_server={properties['build_info']},file={file}", context)

    async def _object(self, url: str, path: str, *, may_lack: bool = False) -> dict[str, Any]:
        status, body = await self._get(url, path)
        if may_lack and status in (404, 405, 501):
            return {}
        if status != 200:
            raise fault_of_response(status, {}, body)
        return _object_of(body)

    async def _get(self, url: str, path: str) -> tuple[int, bytes]:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=_CHECK_SECONDS, connect=self._options.connect_timeout)
        try:
            async with self._session.get(url + path, timeout=timeout, allow_redirects=False) as response:
                return response.status, await read_at_most(response, _MOST_BYTES)
        except Exception as error:
            fault = fault_of_exception(error)
            if fault is None:
                raise
            raise fault from None

    def _error(self, fault: FailedRequestError, name: str) -> Exception:
        return start_error(fault, name, self._options.connection)


def start_error(fault: FailedRequestError, name: str, connection: str) -> EngineRefusedError | EngineUnavailableError:
    """The error for people behind a fault that is not a page's."""
    if fault.blame is not Blame.SETTING:
        return EngineUnavailableError(
            f"Engine server {name} {fault.reason}. Check that it runs and that the address in {connection} is right."
        )
    remedy = {
        "status_401": f"Set the password of {connection} to the server's --api-key.",
        "status_403": f"Set the password of {connection} to the server's --api-key.",
        "status_404": f"Set the base URL of {connection} to the address before /v1.",
        "certificate": f"It is an option of {connection}.",
    }.get(fault.name, f"Check {connection} and how the server was started.")
    return EngineRefusedError(f"Engine server {name} {fault.reason}. {remedy}")


async def read_at_most(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The beginning of a body, up to ``limit`` bytes."""
    body = b""
    while len(body) < limit and (piece := await response.content.read(limit - len(body))):
        body += piece
    return body


def _object_of(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None

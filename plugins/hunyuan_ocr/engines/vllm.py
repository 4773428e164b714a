"""HunyuanOCR in vLLM inside this process: the engine of a GPU worker, started once per task.

Continuous batching does the batching: every question is given to vLLM at once and answered when it is done. The engine
refuses versions known to be wrong, checks the chat template, proves by the probe that pages asked together are answered
as alone, notices a core that died or hangs, and leaves no process (and so no GPU memory) behind. It never downloads a
model, runs no code a model brings, and keeps no cache between questions.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from hunyuan_ocr.engines import vllm_faults
from hunyuan_ocr.engines.base import Answer, FinishReason, Picture, Prompt
from hunyuan_ocr.engines.compat import check_installed, installed
from hunyuan_ocr.engines.core_processes import Process, children, descendants, end, is_resource_tracker, wait_until_gone
from hunyuan_ocr.engines.download import licence_notice
from hunyuan_ocr.engines.local_model import decoded, model_folder, model_key, pixel_limits
from hunyuan_ocr.engines.probe import ProbeFailedError, ProbeReport, Verdict, check_template, messages_of, run_probe
from hunyuan_ocr.engines.server_options import Gate as Gate
from hunyuan_ocr.engines.spec import ModelSpec
from hunyuan_ocr.engines.vllm_request import chat_params, sampling_params
from hunyuan_ocr.exceptions import EngineDiedError, EngineRefusedError, HunyuanOCRError

log = logging.getLogger(__name__)

_ONE_IMAGE_SCHEDULER = "hunyuan_ocr.engines.one_image_scheduler.OneImageScheduler"
#: Every sixteenth token of an answer is reported: often enough to see progress, seldom enough to cost nothing.
_STREAM_INTERVAL = 16
#: Set before vLLM is imported and inherited by its processes.
_ENVIRONMENT = {
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    # Idle workers wait for work, not for the end: without it vLLM waits five seconds in vain before it ends them.
    "VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS": "1",
}


@dataclass(frozen=True, slots=True)
class VllmOptions:
    """How vLLM runs the model. The defaults are for one GPU of 24 GB that nobody else uses.

    ``max_pixels`` caps what the image processor keeps (A4 at 300 dpi is 8.75 million); ``max_num_batched_tokens`` also
    sizes the encoder's budget and must hold one image (16,384 tokens is the model's largest). ``stall_seconds``
    without a token while questions are open means the core hangs. ``dtype``, ``kv_cache_memory_bytes`` and
    ``enforce_eager`` are for machines without a GPU. ``engine_gate`` allows one image per encoder batch: ``always``, or
    only ``when_needed`` by the versions or the probe.
    """

    max_model_len: int = 32_768
    max_num_seqs: int = 64
    max_num_batched_tokens: int = 16_384
    gpu_memory_utilization: float = 0.9
    max_pixels: int = 9_000_000
    dtype: str = "auto"
    kv_cache_memory_bytes: int | None = None
    enforce_eager: bool = False
    enable_prefix_caching: bool = False
    seed: int = 0
    engine_gate: Gate = Gate.NEVER
    stall_seconds: float = 180.0
    start_seconds: float = 900.0
    stop_seconds: float = 5.0
    probe: bool = True
    probe_rounds: int = 1
    #: Further arguments of vLLM's ``AsyncEngineArgs``, by name; they win over all others.
    engine_arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "engine_gate", Gate(self.engine_gate))


class VllmEngine:
    """``engines.base.Engine`` on vLLM's ``AsyncLLM``. Use from one event loop; ``stop_now`` from anywhere.

    ``report`` is what the probe showed; ``is_one_image`` whether images are encoded one at a time.
    """

    def __init__(self, spec: ModelSpec, options: VllmOptions | None = None) -> None:
        self.spec = spec
        self.options = options or VllmOptions()
        self.report: ProbeReport | None = None
        self.is_one_image = self.options.engine_gate is Gate.ALWAYS
        self._folder = Path()
        self._llm: Any = None
        self._before: set[Process] | None = None
        self._processes: set[Process] = set()
        self._cores: set[Process] = set()
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._death: asyncio.Future[EngineDiedError] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_stopped = threading.Event()
        self._in_flight = 0
        self._asked = 0
        self._last_progress = 0.0

    @property
    def capacity(self) -> int:
        return self.options.max_num_seqs

    @cached_property
    def key(self) -> str:
        options = self.options
        further = repr(sorted(options.engine_arguments.items()))
        rest = f"|{hashlib.sha256(further.encode()).hexdigest()[:8]}" if options.engine_arguments else ""
        return f"vllm|{model_key(self.spec)}|{installed().key}|dtype={options.dtype}|pixels={options.max_pixels}{rest}"

    async def __aenter__(self) -> Self:
        self._check_versions()
        self._folder = model_folder(self.spec)
        log.info("%s", licence_notice())
        try:
            try:
                await self._start_and_probe()
            except ProbeFailedError as error:
                is_mendable = error.report.verdict is Verdict.MIXED and self.options.engine_gate is Gate.WHEN_NEEDED
                if self.is_one_image or not is_mendable:
                    raise
                log.warning("%s Starting again with one image per encoder batch.", error)
                await self._stop()
                self.is_one_image = True
                await self._start_and_probe()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stop()

    async def ask(self, picture: Picture, prompt: Prompt) -> Answer:
        if self._llm is None or self._death is None:
            raise EngineDiedError("The vLLM engine is not running: it was not started, or it was stopped.")
        if self._death.done():
            raise _again(self._death.result())
        started = time.monotonic()
        if self._in_flight == 0:
            self._last_progress = started
        self._in_flight += 1
        question = asyncio.ensure_future(self._answer(picture, prompt))
        try:
            # asyncio.wait, not await: a question to a dead core may never come back, not even when it is cancelled.
            both: set[asyncio.Future[Any]] = {question, self._death}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not question.done():
                raise _again(self._death.result())
            text, reason, prompt_tokens, tokens = question.result()
        except (asyncio.CancelledError, HunyuanOCRError):
            raise
        except Exception as error:
            fault = vllm_faults.request_error(
                error, self._core_log, is_engine_dead=bool(self._llm and self._llm.errored)
            )
            if isinstance(fault, EngineDiedError):
                self._die(fault)
            raise fault from error
        finally:
            question.cancel()
            self._in_flight -= 1
        return Answer(text, reason, prompt_tokens, tokens, time.monotonic() - started)

    def stop_now(self) -> None:
        """Ends vLLM's processes at once and waits until they are gone (seconds, blocking). Open questions raise.

        For ``on_kill`` and signal handlers: safe in any thread, at any time, also during the start; may be repeated.
        """
        self._is_stopped.set()
        if self._loop is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._die, EngineDiedError("The vLLM engine was stopped."))
        end(self._processes or self._started_since(), grace_seconds=3.0)

    def _check_versions(self) -> None:
        try:
            _, warnings = check_installed(self.spec.family, is_one_image=self.is_one_image)
        except EngineRefusedError:
            if self.options.engine_gate is not Gate.WHEN_NEEDED:
                raise
            _, warnings = check_installed(self.spec.family, is_one_image=True)
            self.is_one_image = True
        for warning in warnings:
            log.warning("%s", warning)

    async def _start_and_probe(self) -> None:
        await self._start()
        if not self.options.probe:
            log.warning("vLLM's answers are not probed ([hunyuan_ocr] engine_probe): it may mix pages unnoticed.")
            return
        self.report = await run_probe(
            self.ask, self.spec, rounds=self.options.probe_rounds, concurrency=min(8, self.capacity)
        )
        log.info("vLLM with %s passed its probe: %s", self.spec.key, self.report)

    async def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._death = self._loop.create_future()
        self._scratch = tempfile.TemporaryDirectory(prefix="hunyuan-ocr-vllm-")
        self._before = descendants()
        os.environ.update(_ENVIRONMENT)
        os.environ["VLLM_ENGINE_READY_TIMEOUT_S"] = str(int(self.options.start_seconds))
        with self._logging_to_scratch():
            started = time.monotonic()
            try:
                # In this thread and not another: that is how vLLM's own server starts it.
                from vllm.engine.arg_utils import AsyncEngineArgs
                from vllm.v1.engine.async_llm import AsyncLLM

                self._llm = AsyncLLM.from_engine_args(_known(AsyncEngineArgs, self._engine_arguments()))
            except EngineRefusedError:
                raise
            except Exception as error:
                if self._is_stopped.is_set():
                    raise EngineDiedError("The vLLM engine was stopped while it started.") from error
                raise vllm_faults.start_error(error, self._core_log, model=str(self._folder)) from error
            finally:
                self._processes = self._started_since()
                # Only vLLM's core is watched: compilers and the like come and go below it.
                self._cores = self._processes & children()
        if self._is_stopped.is_set():
            raise EngineDiedError("The vLLM engine was stopped while it started.")
        log.info("vLLM started with %s in %.1f s", self.spec.key, time.monotonic() - started)
        self._watch = asyncio.create_task(self._watch_progress(self._death))
        check_template(self._render)

    def _engine_arguments(self) -> dict[str, Any]:
        options = self.options
        least, most = pixel_limits(self.spec, self._folder)
        arguments: dict[str, Any] = {
            "model": str(self._folder),
            "trust_remote_code": False,
            "dtype": options.dtype,
            "seed": options.seed,
            "max_model_len": options.max_model_len,
            "max_num_seqs": options.max_num_seqs,
            "max_num_batched_tokens": options.max_num_batched_tokens,
            "gpu_memory_utilization": options.gpu_memory_utilization,
            "kv_cache_memory_bytes": options.kv_cache_memory_bytes,
            "enforce_eager": options.enforce_eager,
            # A cache never helps here, every page is new; and it keeps a wrong image where images are mixed.
            "enable_prefix_caching": options.enable_prefix_caching,
            "mm_processor_cache_gb": 0,
            "limit_mm_per_prompt": {"image": 1, "video": 0},
            "stream_interval": _STREAM_INTERVAL,
            "disable_log_stats": True,
        }
        if options.max_pixels < most:
            size = {"shortest_edge": min(least, options.max_pixels), "longest_edge": options.max_pixels}
            arguments["mm_processor_kwargs"] = {"size": size}
        if self.is_one_image:
            arguments["scheduler_cls"] = _ONE_IMAGE_SCHEDULER
        return arguments | dict(options.engine_arguments)

    async def _answer(self, picture: Picture, prompt: Prompt) -> tuple[str, FinishReason, int, int]:
        image = await asyncio.to_thread(decoded, picture)
        _, (question,) = await self._llm.renderer.render_chat_async(
            [messages_of(prompt.text, {"type": "image_pil", "image_pil": image})], chat_params()
        )
        self._asked += 1
        text: list[str] = []
        tokens, last = 0, None
        async for output in self._llm.generate(question, sampling_params(prompt, self.options.seed), f"q{self._asked}"):
            self._last_progress = time.monotonic()
            last = output
            text.append(output.outputs[0].text)
            tokens += len(output.outputs[0].token_ids)
        if last is None or not last.finished:
            raise EngineDiedError("vLLM ended an answer without finishing it.")
        ended = last.outputs[0].finish_reason
        try:
            reason = FinishReason(ended)
        except ValueError:
            raise EngineDiedError(f"vLLM broke off an answer ({ended}).") from None
        return "".join(text), reason, len(last.prompt_token_ids or ()), tokens

    async def _watch_progress(self, death: asyncio.Future[EngineDiedError]) -> None:
        """Ends every open question when a process is gone or nothing has moved for ``stall_seconds``."""
        while not death.done():
            pause, slept = min(1.0, self.options.stall_seconds / 4), time.monotonic()
            await asyncio.sleep(pause)
            if time.monotonic() - slept > pause + 5:
                # This loop itself was held up, so tokens may wait unread: nothing can be said about the core.
                self._last_progress = time.monotonic()
            if self._llm.errored or not all(core.is_alive for core in self._cores):
                # vLLM raises for its own askers, mostly; a short while lets the core's log be written.
                await asyncio.sleep(0.2)
                self._die(vllm_faults.death(self._core_log, "its core process ended"))
            elif self._in_flight and time.monotonic() - self._last_progress > self.options.stall_seconds:
                what = f"no token for {self.options.stall_seconds:.0f} s with {self._in_flight} questions open"
                self._die(vllm_faults.death(self._core_log, what))

    def _die(self, fault: EngineDiedError) -> None:
        if self._death is not None and not self._death.done():
            self._death.set_result(fault)

    async def _stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._die(EngineDiedError("The vLLM engine was stopped."))
        llm, self._llm = self._llm, None
        processes = self._processes
        if llm is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(
                    asyncio.to_thread(llm.shutdown, self.options.stop_seconds), 3 * self.options.stop_seconds
                )
        left = await asyncio.to_thread(wait_until_gone, processes, self.options.stop_seconds if llm else 0.0)
        if left:
            log.warning("vLLM left %d processes after its shutdown; ending them.", len(left))
            left = await asyncio.to_thread(end, left, grace_seconds=1.0)
        if left:
            log.error("Processes %s do not end; they may hold GPU memory.", sorted(process.pid for process in left))
        self._processes = set()
        if self._scratch is not None:
            vllm_faults.forget(self._core_log)
            self._scratch.cleanup()
            self._scratch = None

    def _started_since(self) -> set[Process]:
        """What runs below us and did not before the start. Only asked until the start is over: what is started later
        (the pipeline's renderers) is not ours to end."""
        if self._before is None:
            return set()
        return {process for process in descendants() - self._before if not is_resource_tracker(process)}

    def _render(self, messages: list[dict[str, object]]) -> str:
        """As vLLM renders it: with the template it chose, which need not be the tokenizer's."""
        from PIL import Image

        text = messages[-1]["content"][-1]["text"]  # type: ignore[index]
        image: dict[str, object] = {"type": "image_pil", "image_pil": Image.new("RGB", (64, 64))}
        _, prompt = self._llm.renderer.render_messages(messages_of(text, image), chat_params())
        if "prompt" in prompt:
            return str(prompt["prompt"])
        return str(self._llm.renderer.get_tokenizer().decode(prompt["prompt_token_ids"]))

    @property
    def _core_log(self) -> Path:
        return Path(self._scratch.name if self._scratch else os.devnull) / "core.log"

    @contextlib.contextmanager
    def _logging_to_scratch(self) -> Any:
        """The core logs its errors to a file of ours too, unless the user set up vLLM's logging himself."""
        name = "VLLM_LOGGING_CONFIG_PATH"
        if os.environ.get(name) or self._scratch is None:
            yield
            return
        config = Path(self._scratch.name) / "logging.json"
        config.write_text(vllm_faults.log_config(self._core_log, os.environ.get("VLLM_LOGGING_LEVEL", "INFO")))
        os.environ[name] = str(config)
        try:
            yield
        finally:
            del os.environ[name]


def _again(fault: EngineDiedError) -> EngineDiedError:
    """The same fault anew: one exception raised in many tasks would gather all their tracebacks."""
    return type(fault)(*fault.args)


def _known(arguments_of_vllm: Any, given: dict[str, Any]) -> Any:
    try:
        return arguments_of_vllm(**given)
    except TypeError as error:
        raise EngineRefusedError(
            f"vLLM takes no such engine argument ({error}); correct [hunyuan_ocr] vllm_options."
        ) from error

"""HunyuanOCR in transformers, one picture at a time: to look closely at a page, not to work through a day's mail.

Runs without vLLM and so without its batches: what it answers is what vLLM should answer too. It queues what is asked at
once, stops an answer that repeats itself as vLLM does, never downloads a model and runs no code a model brings.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from hunyuan_ocr.engines.base import Answer, FinishReason, Picture, Prompt, RepetitionGuard
from hunyuan_ocr.engines.compat import check_transformers, installed
from hunyuan_ocr.engines.download import licence_notice
from hunyuan_ocr.engines.local_model import decoded, model_folder, model_key, pixel_limits
from hunyuan_ocr.engines.probe import ProbeReport, check_template, messages_of, run_probe
from hunyuan_ocr.engines.spec import ModelSpec
from hunyuan_ocr.engines.vllm_faults import is_out_of_memory
from hunyuan_ocr.exceptions import (
    EngineDiedError,
    EngineOutOfMemoryError,
    EngineRefusedError,
    EngineUnavailableError,
    HunyuanOCRError,
    PageRefusedError,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TransformersOptions:
    """``device`` is auto (a GPU if there is one), cpu or cuda:N; ``dtype`` is auto (of the weights), bfloat16 or
    float32. ``max_pixels`` is lower than with vLLM: without its attention a page of 9 million pixels fills any GPU.
    ``answer_seconds`` is the longest time for one answer, waiting not counted."""

    device: str = "auto"
    dtype: str = "auto"
    max_pixels: int = 4_194_304
    answer_seconds: float = 600.0


class TransformersEngine:
    """``engines.base.Engine`` on ``HunYuanVLForConditionalGeneration.generate``. ``report`` is what the probe said."""

    capacity = 1

    def __init__(self, spec: ModelSpec, options: TransformersOptions | None = None) -> None:
        self.spec = spec
        self.options = options or TransformersOptions()
        self.report: ProbeReport | None = None
        self._model: Any = None
        self._processor: Any = None
        self._one_at_a_time = asyncio.Lock()
        self._is_stopped = threading.Event()

    @cached_property
    def key(self) -> str:
        return (
            f"transformers|{model_key(self.spec)}|transformers={installed().transformers}|dtype={self.options.dtype}|"
            f"pixels={self.options.max_pixels}"
        )

    async def __aenter__(self) -> Self:
        for warning in check_transformers(installed().transformers):
            log.warning("%s", warning)
        folder = model_folder(self.spec)
        log.info("%s", licence_notice())
        try:
            await asyncio.to_thread(self._load, folder)
            check_template(self._render)
            self.report = await run_probe(self.ask, self.spec, concurrency=1)
        except BaseException:
            self._unload()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._is_stopped.set()
        async with self._one_at_a_time:
            self._unload()

    async def ask(self, picture: Picture, prompt: Prompt) -> Answer:
        async with self._one_at_a_time:
            if self._model is None:
                raise EngineDiedError("The transformers engine is not running: it was not started, or it was stopped.")
            stop = threading.Event()
            generation = asyncio.ensure_future(asyncio.to_thread(self._generate, picture, prompt, stop))
            try:
                return await asyncio.shield(generation)
            except asyncio.CancelledError:
                stop.set()
                # The thread holds the model until its next token; nobody else may use it before.
                await asyncio.wait({generation})
                with contextlib.suppress(HunyuanOCRError):
                    generation.exception()
                raise

    def stop_now(self) -> None:
        """Ends the running answer at its next token; for ``on_kill`` and signal handlers."""
        self._is_stopped.set()

    def _load(self, folder: Path) -> None:
        import torch
        from transformers import AutoProcessor, HunYuanVLForConditionalGeneration

        device = self.options.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        least, most = pixel_limits(self.spec, folder)
        size = {}
        if self.options.max_pixels < most:
            least, most = min(least, self.options.max_pixels), self.options.max_pixels
            size = {"size": {"shortest_edge": least, "longest_edge": most}}
        try:
            self._processor = AutoProcessor.from_pretrained(folder, local_files_only=True, **size)
            model = HunYuanVLForConditionalGeneration.from_pretrained(
                folder, dtype=self.options.dtype, local_files_only=True
            )
            self._model = model.to(device).eval()
        except Exception as error:
            if is_out_of_memory(f"{type(error).__name__}: {error}"):
                raise self._out_of_memory("while it loaded the model") from error
            raise EngineRefusedError(
                f"transformers could not load the model in {folder} ({type(error).__name__}: {str(error)[:200]}). "
                "Check that the download is complete and torch and torchvision belong together."
            ) from error

    def _unload(self) -> None:
        if self._model is None:
            return
        self._model = self._processor = None
        import gc

        import torch

        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _render(self, messages: list[dict[str, object]]) -> str:
        return str(self._processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    def _generate(self, picture: Picture, prompt: Prompt, stop: threading.Event) -> Answer:
        import torch
        from transformers import StoppingCriteriaList

        started = time.monotonic()
        model, processor, sampling = self._model, self._processor, prompt.sampling
        try:
            inputs = processor(
                text=[self._render(messages_of(prompt.text))], images=[decoded(picture)], return_tensors="pt"
            ).to(model.device, dtype=model.dtype)
        except (ValueError, RuntimeError) as error:
            raise PageRefusedError(f"transformers refuses this page ({type(error).__name__}).") from error
        asked = inputs["input_ids"].shape[1]
        watch = _Watch(asked, sampling.repetition_guard, started + self.options.answer_seconds, stop, self._is_stopped)
        sampled = {"temperature": sampling.temperature} if sampling.temperature else {}
        try:
            with torch.inference_mode():
                generated = model.generate(
                    **inputs,
                    max_new_tokens=sampling.max_tokens,
                    do_sample=bool(sampled),
                    repetition_penalty=sampling.repetition_penalty,
                    stopping_criteria=StoppingCriteriaList([watch]),
                    **sampled,
                )
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(f"{type(error).__name__}: {error}"):
                raise self._out_of_memory("on a page") from error
            raise
        tokens = generated[0, asked:].tolist()
        if watch.is_stopped:
            raise EngineDiedError("The transformers engine was stopped.")
        if watch.is_late:
            raise EngineUnavailableError(
                f"transformers gave no whole answer in {self.options.answer_seconds:.0f} s (answer_seconds); ask for "
                "fewer pixels or use vLLM."
            )
        ends = model.generation_config.eos_token_id
        reason = FinishReason.REPETITION if watch.is_repeating else FinishReason.LENGTH
        count = len(tokens)
        if tokens and tokens[-1] in (ends if isinstance(ends, list) else [ends]):
            tokens.pop()
            reason = FinishReason.STOP
        text = processor.decode(tokens, skip_special_tokens=sampling.skip_special_tokens)
        return Answer(text, reason, asked, count, time.monotonic() - started)

    def _out_of_memory(self, when: str) -> EngineOutOfMemoryError:
        return EngineOutOfMemoryError(
            f"transformers ran out of memory {when}. Its attention needs far more than vLLM's: lower max_pixels, see "
            "with nvidia-smi who else uses the GPU, or use vLLM."
        )


class _Watch:
    """A stopping criterion of ``generate``: asked after every token."""

    def __init__(self, asked: int, guard: RepetitionGuard | None, deadline: float, *stops: threading.Event) -> None:
        self._asked = asked
        self._guard = guard
        self._deadline = deadline
        self._stops = stops
        self.is_repeating = self.is_late = self.is_stopped = False

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        import torch

        self.is_stopped = any(stop.is_set() for stop in self._stops)
        self.is_late = time.monotonic() > self._deadline
        if self._guard is not None:
            tail = input_ids[0, self._asked :][-self._guard.max_pattern * self._guard.min_count :].tolist()
            self.is_repeating = repeats(tail, self._guard)
        is_over = self.is_stopped or self.is_late or self.is_repeating
        return torch.full((input_ids.shape[0],), is_over, device=input_ids.device, dtype=torch.bool)


def repeats(tokens: Sequence[int], guard: RepetitionGuard) -> bool:
    """Whether the tail of ``tokens`` is one pattern ``min_count`` times over, as vLLM's ``repetition_detection``."""
    for size in range(guard.min_pattern, min(guard.max_pattern, len(tokens) // guard.min_count) + 1):
        tail = tokens[len(tokens) - size * guard.min_count :]
        if tail[size:] == tail[:-size]:
            return True
    return False

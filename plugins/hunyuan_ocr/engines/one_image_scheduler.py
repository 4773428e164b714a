"""A vLLM scheduler that never puts a second image into an encoder batch: slower, and right where batches are mixed.

For vLLM 0.29 to 0.32 with a transformers that returns the images of a batch as one tensor (``engines.compat``). Chosen
by ``[hunyuan_ocr] engine_gate``; questions are still answered together, only their images are encoded one by one.
It hooks into a method that vLLM does not call public, and holds for one image per question only. vLLM imports this
module by name in its own process; nothing else does.
"""

from __future__ import annotations

from typing import Any

from vllm.v1.core.sched.async_scheduler import AsyncScheduler  # noqa: TID253 - a subclass needs its base


class OneImageScheduler(AsyncScheduler):  # type: ignore[misc]
    """``AsyncScheduler`` with no encoder budget left in a step once an image was scheduled in it."""

    def _try_schedule_encoder_inputs(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        scheduled, new_tokens, budget, *rest = super()._try_schedule_encoder_inputs(*args, **kwargs)
        return scheduled, new_tokens, 0 if scheduled else budget, *rest

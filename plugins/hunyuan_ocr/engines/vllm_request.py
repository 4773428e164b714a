"""A prompt in the words of vLLM's own parameters. Imports vLLM when it is called."""

from __future__ import annotations

from typing import Any

from hunyuan_ocr.engines.base import Prompt, RepetitionGuard


def chat_params() -> Any:
    """How vLLM renders a conversation for this model."""
    from vllm.renderers import ChatParams

    return ChatParams(chat_template_kwargs={"add_generation_prompt": True, "continue_final_message": False})


def sampling_params(prompt: Prompt, seed: int) -> Any:
    """vLLM's ``SamplingParams`` for a prompt; the answer comes in pieces, so that progress shows."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = prompt.sampling
    return SamplingParams(
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        seed=seed if sampling.temperature else None,
        repetition_penalty=sampling.repetition_penalty,
        skip_special_tokens=sampling.skip_special_tokens,
        repetition_detection=_repetition_detection(sampling.repetition_guard),
        output_kind=RequestOutputKind.DELTA,
    )


def _repetition_detection(guard: RepetitionGuard | None) -> Any:
    if guard is None:
        return None
    from vllm.sampling_params import RepetitionDetectionParams

    return RepetitionDetectionParams(
        max_pattern_size=guard.max_pattern, min_pattern_size=guard.min_pattern, min_count=guard.min_count
    )

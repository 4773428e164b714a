"""From settings and an Airflow connection to the engine that answers and the caches beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.settings import EngineName, Settings

if TYPE_CHECKING:
    from hunyuan_ocr.engines.base import Answer, Engine
    from hunyuan_ocr.engines.cache import TieredCache
    from hunyuan_ocr.engines.server_options import ServerOptions
    from hunyuan_ocr.intake.hunyuan import ModelAccess


def open_engine(settings: Settings, server: ServerOptions | None = None) -> Engine:
    """The engine of the settings, not started yet. ``server`` stands in for the connection of engine openai_server.

    :raises ConfigurationError: the connection is missing or incomplete, an option is not known, or the engine is
        RapidOCR, which is asked no questions.
    """
    makers: dict[EngineName, Callable[[Settings], Engine]] = {
        EngineName.OPENAI_SERVER: lambda settings: _openai_server(settings, server),
        EngineName.VLLM: _vllm,
        EngineName.TRANSFORMERS: _transformers,
    }
    if settings.engine not in makers:
        raise ConfigurationError(f"Engine {settings.engine} reads pages by itself and answers no questions.")
    return makers[settings.engine](settings)


def open_answer_cache(settings: Settings, lookup: Callable[[str], Answer | None]) -> TieredCache:
    """The journal, found by ``lookup``, with the Redis of the settings in front of it when there is one."""
    from hunyuan_ocr.engines.cache import JournalCache, TieredCache

    journal = JournalCache(lookup)
    if not settings.answer_cache_conn_id:
        return TieredCache(journal)
    from hunyuan_ocr.hooks.engine import open_redis_cache

    return TieredCache(open_redis_cache(settings.answer_cache_conn_id, settings.answer_cache_days), journal)


def model_access(
    settings: Settings,
    server: ServerOptions | None = None,
    *,
    can_be_stopped: Callable[[Callable[[], None]], None] = lambda stop: None,
) -> ModelAccess:
    """What the OCR step needs to reach the model. ``can_be_stopped`` is handed a function that ends the reading."""
    from hunyuan_ocr.intake.hunyuan import ModelAccess

    return ModelAccess(
        open_engine=lambda: open_engine(settings, server),
        open_cache=lambda lookup: open_answer_cache(settings, lookup),
        can_be_stopped=can_be_stopped,
    )


def _openai_server(settings: Settings, server: ServerOptions | None) -> Engine:
    from hunyuan_ocr.engines.openai_server import OpenAIServerEngine
    from hunyuan_ocr.engines.server_options import Gate

    if server is None:
        from hunyuan_ocr.hooks.engine import HunyuanOCRHook

        server = HunyuanOCRHook(settings.engine_conn_id).server_options()
    return OpenAIServerEngine(
        settings.model_spec,
        replace(
            server,
            max_in_flight=settings.engine_in_flight,
            request_timeout=float(settings.engine_timeout),
            gate=Gate(settings.engine_gate),
            probe=settings.engine_probe,
        ),
    )


def _vllm(settings: Settings) -> Engine:
    from hunyuan_ocr.engines.vllm import VllmEngine, VllmOptions

    own = {field.name for field in fields(VllmOptions)}
    given = settings.vllm_options
    known: dict[str, Any] = {
        "gpu_memory_utilization": settings.gpu_memory_utilization,
        "max_model_len": settings.max_model_len,
        "max_num_seqs": settings.max_num_seqs,
        "engine_gate": settings.engine_gate,
        "probe": settings.engine_probe,
        "stall_seconds": float(settings.engine_stall_seconds),
        **{name: value for name, value in given.items() if name in own},
        "engine_arguments": {name: value for name, value in given.items() if name not in own},
    }
    return VllmEngine(settings.model_spec, VllmOptions(**known))


def _transformers(settings: Settings) -> Engine:
    from hunyuan_ocr.engines.transformers import TransformersEngine, TransformersOptions

    return TransformersEngine(settings.model_spec, TransformersOptions())

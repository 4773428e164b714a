"""The operators around the model: which shards have pages to read, reading them, and reconciling what was read.

All three take ``engine`` and ``conn_id``, for DAGs of your own that read with another engine than the settings name;
give the three of a DAG the same. ``HunyuanOCROperator`` runs where the engine is: its pool and queue follow from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, ExceptionRetryPolicy, RetryAction, RetryRule

from hunyuan_ocr.hooks.stores import open_intake
from hunyuan_ocr.operators.base import Counts, ShardOperator, engine_settings, intake_run, no_vain_retry, opened_stores

if TYPE_CHECKING:
    from airflow.sdk import Context


def engine_retries() -> ExceptionRetryPolicy:
    """When to start an OCR task anew: what a retry repeats fails at once, a busy server and a full GPU get time."""
    errors = "hunyuan_ocr.exceptions"
    return ExceptionRetryPolicy(
        rules=[
            RetryRule(
                exception=f"{errors}.ConfigurationError",
                action=RetryAction.FAIL,
                reason="mend the configuration; a retry would repeat it",
            ),
            RetryRule(
                exception=f"{errors}.EngineOutOfMemoryError",
                retry_delay=timedelta(minutes=10),
                reason="another process may give the GPU's memory back",
            ),
            RetryRule(
                exception=f"{errors}.EngineUnavailableError",
                retry_delay=timedelta(minutes=5),
                reason="the server may be starting or overloaded",
            ),
            RetryRule(
                exception=f"{errors}.EngineDiedError",
                retry_delay=timedelta(seconds=30),
                reason="a new engine reads the pages that are left",
            ),
        ]
    )


class ChoosePagesOperator(BaseOperator):
    """Returns the shards that have pages to read; without any, no OCR task starts and no slot of its pool is taken."""

    def __init__(self, *, engine: str | None = None, conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.engine = engine
        self.conn_id = conn_id

    def execute(self, context: Context) -> list[int]:
        from hunyuan_ocr.intake.ocr import pages_to_read

        with opened_stores(engine_settings(self.engine, self.conn_id)) as intake:
            pages = pages_to_read(intake, intake_run(context))
        self.log.info("%d pages need eyes, in %d shards", sum(pages.values()), len(pages))
        return list(pages)


class HunyuanOCROperator(ShardOperator):
    """Reads the pages of a shard that need eyes; each finished page is committed at once.

    A killed task repeats at most the pages in flight. Returns counts; what was read is in the journal.

    :param shard_no: the shard, mapped over what ``ChoosePagesOperator`` returned.
    :param engine: rapidocr, vllm, openai_server or transformers; by default what the settings name.
    :param conn_id: the connection of engine openai_server; by default what the settings name.
    :param prompt_profile: read every page with this profile; by default that of the trigger form or of the source, or
        the one found from the page.
    """

    template_fields: Sequence[str] = ("shard_no", "prompt_profile")

    def __init__(
        self,
        *,
        shard_no: int,
        engine: str | None = None,
        conn_id: str | None = None,
        prompt_profile: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            shard_no=shard_no, **on_the_engines_worker(engine) | {"retry_policy": engine_retries()} | kwargs
        )
        self.engine = engine
        self.conn_id = conn_id
        self.prompt_profile = prompt_profile
        self._stops: list[Callable[[], None]] = []

    def execute(self, context: Context) -> Counts:
        from hunyuan_ocr.hooks.engine_factory import model_access
        from hunyuan_ocr.intake.ocr import read_pages

        run = intake_run(context, prompt_profile=self.prompt_profile)
        settings = engine_settings(self.engine, self.conn_id)
        with open_intake(settings) as intake:
            model = model_access(settings, can_be_stopped=self._can_be_stopped)
            counts = read_pages(intake, run, int(self.shard_no), self.log, model)
        self.log.info("read shard %s: %s", self.shard_no, counts)
        _count(context, settings.engine, counts)
        return counts

    def on_kill(self) -> None:
        """Stops the engine: a killed task must give the GPU back."""
        for stop in self._stops:
            stop()

    def _can_be_stopped(self, stop: Callable[[], None]) -> None:
        self._stops.append(stop)


class ReconcileInvoicesOperator(ShardOperator):
    """Turns the readings of a shard's documents into canonical invoices with evidence for each value."""

    def __init__(self, *, shard_no: int, engine: str | None = None, conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(shard_no=shard_no, **kwargs)
        self.engine = engine
        self.conn_id = conn_id

    def execute(self, context: Context) -> Counts:
        from hunyuan_ocr.intake.reconcile import reconcile_shard

        with opened_stores(engine_settings(self.engine, self.conn_id)) as intake:
            counts = reconcile_shard(intake, intake_run(context), int(self.shard_no))
        self.log.info("reconciled shard %s: %s", self.shard_no, counts)
        return counts


def on_the_engines_worker(engine: str | None = None) -> dict[str, str]:
    """``pool`` and ``queue`` for tasks that use the engine: those of the settings, else what the engine needs."""
    with no_vain_retry():
        settings = engine_settings(engine)
    return {
        "pool": settings.ocr_pool or settings.engine.default_pool,
        "queue": settings.ocr_queue or settings.engine.default_queue,
    }


def _count(context: Context, engine: str, counts: Counts) -> None:
    from airflow.sdk.observability import stats

    tags = {**getattr(context["ti"], "stats_tags", {}), "engine": str(engine)}
    for outcome, number in counts.items():
        stats.incr(f"hunyuan_ocr.{outcome}", number, tags=tags)

"""What the operators share: their run, the stores they open, and which errors a retry would only repeat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from hunyuan_ocr.exceptions import ConfigurationError, SourceRefusedError
from hunyuan_ocr.settings import EngineName, Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hunyuan_ocr.intake.run import IntakeRun
    from hunyuan_ocr.intake.stores import Intake

Counts = dict[str, int]


class ShardOperator(BaseOperator):
    """Base of the operators that work on one shard.

    :param shard_no: the shard, mapped over what ``AssignShardsOperator`` returned.
    """

    template_fields: Sequence[str] = ("shard_no",)

    def __init__(self, *, shard_no: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard_no = shard_no


def intake_run(context: Context, *, prompt_profile: str | None = None) -> IntakeRun:
    """The run a task belongs to, with its window; what the person set in the trigger form wins.

    ``prompt_profile`` is what the operator was told, when the form says nothing.
    """
    from hunyuan_ocr.intake.run import TAKES_BACKLOG, IntakeRun, resolve_window

    dag_run, params = context["dag_run"], context["params"]
    run_type = str(getattr(dag_run.run_type, "value", dag_run.run_type))
    asks_window = bool(params.get("window_start") or params.get("window_end"))
    with no_vain_retry():
        window = resolve_window(
            params,
            run_type=run_type,
            interval_start=context.get("data_interval_start"),
            interval_end=context.get("data_interval_end"),
            run_after=dag_run.run_after,
        )
    return IntakeRun(
        dag_id=dag_run.dag_id,
        run_id=dag_run.run_id,
        run_type=run_type,
        window=window,
        takes_backlog=run_type in TAKES_BACKLOG and not asks_window,
        logical_date=context.get("logical_date"),
        prompt_profile=params.get("prompt_profile") or prompt_profile or None,
        instruction=params.get("instruction") or "",
        extra_keys=tuple(params.get("extra_keys") or ()),
        reprocess=bool(params.get("reprocess")),
        reject_ratio=float(params["reject_ratio"]),
    )


def engine_settings(engine: str | None = None, conn_id: str | None = None) -> Settings:
    """The settings with another engine or connection than they name, as an operator's arguments may ask.

    :raises ConfigurationError: there is no such engine.
    """
    settings = Settings.load()
    return replace(
        settings,
        engine=EngineName.of(engine) if engine else settings.engine,
        engine_conn_id=conn_id or settings.engine_conn_id,
    )


@contextmanager
def opened_stores(settings: Settings | None = None) -> Iterator[Intake]:
    """The stores a task works with, and ``no_vain_retry`` around the work."""
    from hunyuan_ocr.hooks.stores import open_intake

    with no_vain_retry(), open_intake(settings) as intake:
        yield intake


@contextmanager
def no_vain_retry() -> Iterator[None]:
    """An error in the block that a retry would only repeat fails the task at once: a wrong password tried again and
    again locks the account."""
    try:
        yield
    except (ConfigurationError, SourceRefusedError) as error:
        raise AirflowFailException(str(error)) from error

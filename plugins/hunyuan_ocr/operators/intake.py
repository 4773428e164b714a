"""The operators of the intake DAG: each opens the stores, calls one step of ``hunyuan_ocr.intake`` and returns counts.

XCom carries ids and counts, never bytes or field values. What goes wrong with one document stays with that document;
an operator fails only when its step could not be done at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from hunyuan_ocr.exceptions import ConfigurationError, SourceRefusedError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hunyuan_ocr.intake.run import IntakeRun
    from hunyuan_ocr.intake.stores import Intake

Counts = dict[str, int]


class ChooseSourcesOperator(BaseOperator):
    """Returns the codes of the sources this run collects from: those of the ``sources`` parameter, else all enabled."""

    def execute(self, context: Context) -> list[str]:
        from hunyuan_ocr.hooks.source_factory import configured_sources

        wanted = context["params"].get("sources") or []
        with _no_vain_retry():
            configs = configured_sources(wanted)
        for config in configs:
            self.log.info("source %s (%s)", config.code, config.kind)
        return [config.code for config in configs]


class CollectSourceOperator(BaseOperator):
    """Archives what arrived at one source in the run's window and enters it into the ledger.

    :param source_code: which source of ``sources.yaml``.
    """

    template_fields: Sequence[str] = ("source_code",)

    def __init__(self, *, source_code: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source_code = source_code

    def execute(self, context: Context) -> Counts:
        from hunyuan_ocr.hooks.source_factory import configured_sources, open_source
        from hunyuan_ocr.intake.collect import collect
        from hunyuan_ocr.intake.run import window_to_list

        context["source_code"] = self.source_code  # type: ignore[typeddict-unknown-key]
        run = intake_run(context)
        with _stores() as intake:
            (config,) = configured_sources([self.source_code])
            window = window_to_list(
                run, is_inbox_folder=config.kind != "mailbox", backlog_days=intake.settings.backlog_days
            )
            with open_source(config) as source:
                counts = collect(intake, source, window)
        self.log.info("collected from %s: %s", self.source_code, counts)
        return counts


class AssignShardsOperator(BaseOperator):
    """Opens the batch of this run and divides its source items into shards; returns their numbers.

    :param sources_task_id: the task that chose the sources.
    """

    def __init__(self, *, sources_task_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sources_task_id = sources_task_id

    def execute(self, context: Context) -> list[int]:
        from hunyuan_ocr.intake.shards import assign_shards

        codes = context["ti"].xcom_pull(task_ids=self.sources_task_id)
        if codes is None:
            raise AirflowFailException(
                f"Task {self.sources_task_id} chose no sources; look at its log, mend sources.yaml and clear it."
            )
        with _stores() as intake:
            shards = assign_shards(intake, intake_run(context), list(codes))
        self.log.info("%d items in %d shards", sum(shards.values()), len(shards))
        return list(shards)


class _ShardOperator(BaseOperator):
    """Base of the operators that work on one shard.

    :param shard_no: the shard, mapped over what ``AssignShardsOperator`` returned.
    """

    template_fields: Sequence[str] = ("shard_no",)

    def __init__(self, *, shard_no: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard_no = shard_no


class PrepareDocumentsOperator(_ShardOperator):
    """Unpacks a shard's items, reads text layers and decides which pages need eyes."""

    def execute(self, context: Context) -> Counts:
        from hunyuan_ocr.intake.prepare import prepare

        with _stores() as intake:
            counts = prepare(intake, intake_run(context), int(self.shard_no))
        self.log.info("prepared shard %s: %s", self.shard_no, counts)
        return counts


class ChoosePagesOperator(BaseOperator):
    """Returns the shards that have pages to read; without any, no OCR task starts and no slot of its pool is taken."""

    def execute(self, context: Context) -> list[int]:
        from hunyuan_ocr.intake.ocr import pages_to_read

        with _stores() as intake:
            pages = pages_to_read(intake, intake_run(context))
        self.log.info("%d pages need eyes, in %d shards", sum(pages.values()), len(pages))
        return list(pages)


class HunyuanOCROperator(_ShardOperator):
    """Reads the pages of a shard that need eyes; each finished page is committed at once.

    A killed task repeats at most the page in flight. The engine is RapidOCR on the CPU.
    """

    def execute(self, context: Context) -> Counts:
        from hunyuan_ocr.intake.ocr import read_pages

        with _stores() as intake:
            counts = read_pages(intake, intake_run(context), int(self.shard_no), self.log)
        self.log.info("read shard %s: %s", self.shard_no, counts)
        return counts


class ReconcileInvoicesOperator(_ShardOperator):
    """Turns the readings of a shard's documents into canonical invoices with evidence for each value."""

    def execute(self, context: Context) -> Counts:
        from hunyuan_ocr.intake.reconcile import reconcile_shard

        with _stores() as intake:
            counts = reconcile_shard(intake, intake_run(context), int(self.shard_no))
        self.log.info("reconciled shard %s: %s", self.shard_no, counts)
        return counts


class ValidateInvoicesOperator(BaseOperator):
    """One Great Expectations run over all invoices of the run; writes a verdict per invoice and the Data Docs."""

    def execute(self, context: Context) -> Counts:
        from hunyuan_ocr.intake.validate import validate

        with _stores() as intake:
            counts, docs = validate(intake, intake_run(context))
        self.log.info("validated: %s", counts)
        if docs:
            self.log.info("report of this run: %s", docs)
        return counts


class LoadStagingOperator(BaseOperator):
    """Loads the accepted invoices into the staging tables and sends the others to review: a transaction each."""

    def execute(self, context: Context) -> Counts:
        from hunyuan_ocr.intake.load import load

        with _stores() as intake:
            counts = load(intake, intake_run(context))
        self.log.info("loaded: %s", counts)
        return counts


class ReportRunOperator(BaseOperator):
    """Sums the run up and sends one alert when something was rejected; the same rejections are reported once."""

    def execute(self, context: Context) -> Counts:
        from hunyuan_ocr.intake.report import report
        from hunyuan_ocr.notifications.alert import send_alert

        with _stores() as intake:
            run_report = report(intake, intake_run(context), links=_links(context))
            self.log.info("run: %s", run_report.counts)
            if run_report.is_news:
                send_alert(run_report, context, intake.settings)
                intake.store.mark_alerted(run_report.batch_id, run_report.fingerprint)
        return run_report.counts


class SettleSourcesOperator(BaseOperator):
    """Moves, flags or renames at the source what is finished; only now does the source learn that we were there.

    :param source_code: which source of ``sources.yaml``.
    """

    template_fields: Sequence[str] = ("source_code",)

    def __init__(self, *, source_code: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source_code = source_code

    def execute(self, context: Context) -> Counts:
        from hunyuan_ocr.hooks.source_factory import configured_sources, open_source
        from hunyuan_ocr.intake.settle import settle

        context["source_code"] = self.source_code  # type: ignore[typeddict-unknown-key]
        with _stores() as intake:
            (config,) = configured_sources([self.source_code])
            counts = settle(intake, intake_run(context), config.code, lambda: open_source(config))
        self.log.info("settled %s: %s", self.source_code, counts)
        return counts


class RunGateOperator(BaseOperator):
    """Fails the run when a task failed, documents were lost or too many invoices were rejected.

    The run's state is that of this task, so a green run means that everything that arrived is accounted for.
    """

    def execute(self, context: Context) -> Counts:
        from hunyuan_ocr.intake.gate import check_run

        run = intake_run(context)
        states = context["ti"].get_task_states(dag_id=run.dag_id, run_ids=[run.run_id])
        failed = sorted(
            task for task, state in states.get(run.run_id, {}).items() if state in {"failed", "upstream_failed"}
        )
        with _stores() as intake:
            return check_run(intake, run, failed_tasks=failed)


def intake_run(context: Context) -> IntakeRun:
    """The run a task belongs to, with its window; what the person set in the trigger form wins."""
    from hunyuan_ocr.intake.run import TAKES_BACKLOG, IntakeRun, resolve_window

    dag_run, params = context["dag_run"], context["params"]
    run_type = str(getattr(dag_run.run_type, "value", dag_run.run_type))
    asks_window = bool(params.get("window_start") or params.get("window_end"))
    with _no_vain_retry():
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
        prompt_profile=params.get("prompt_profile") or None,
        reprocess=bool(params.get("reprocess")),
        reject_ratio=float(params["reject_ratio"]),
    )


def _links(context: Context) -> dict[str, str]:
    from airflow.sdk.configuration import conf

    base, run = str(conf.get("api", "base_url", fallback="")).rstrip("/"), context["dag_run"]
    return {"Airflow run": f"{base}/dags/{run.dag_id}/runs/{run.run_id}"} if base else {}


@contextmanager
def _stores() -> Iterator[Intake]:
    """The stores a task works with, and ``_no_vain_retry`` around the work."""
    from hunyuan_ocr.hooks.stores import open_intake

    with _no_vain_retry(), open_intake() as intake:
        yield intake


@contextmanager
def _no_vain_retry() -> Iterator[None]:
    """An error in the block that a retry would only repeat fails the task at once: a wrong password tried again and
    again locks the account."""
    try:
        yield
    except (ConfigurationError, SourceRefusedError) as error:
        raise AirflowFailException(str(error)) from error

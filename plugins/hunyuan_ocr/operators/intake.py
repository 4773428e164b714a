"""The operators of the intake DAG: each opens the stores, calls one step of ``hunyuan_ocr.intake`` and returns counts.

XCom carries ids and counts, never bytes or field values. What goes wrong with one document stays with that document;
an operator fails only when its step could not be done at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from hunyuan_ocr.operators.base import Counts, ShardOperator, intake_run, no_vain_retry, opened_stores

if TYPE_CHECKING:
    from airflow.sdk import Context


class ChooseSourcesOperator(BaseOperator):
    """Returns the codes of the sources this run collects from: those of the ``sources`` parameter, else all enabled.

    Refuses a run whose ``prompt_profile`` does not exist or makes no invoices.
    """

    def execute(self, context: Context) -> list[str]:
        from hunyuan_ocr.extraction.prompts import check_profile
        from hunyuan_ocr.hooks.source_factory import configured_sources
        from hunyuan_ocr.settings import Settings

        wanted = context["params"].get("sources") or []
        with no_vain_retry():
            configs = configured_sources(wanted)
            # Here, where nothing has been done yet, and not in the middle of the run.
            check_profile(Settings.load().prompts_dir, context["params"].get("prompt_profile"))
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
        with opened_stores() as intake:
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
        with opened_stores() as intake:
            shards = assign_shards(intake, intake_run(context), list(codes))
        self.log.info("%d items in %d shards", sum(shards.values()), len(shards))
        return list(shards)


class PrepareDocumentsOperator(ShardOperator):
    """Unpacks a shard's items, reads text layers and decides which pages need eyes."""

    def execute(self, context: Context) -> Counts:
        from hunyuan_ocr.intake.prepare import prepare

        with opened_stores() as intake:
            counts = prepare(intake, intake_run(context), int(self.shard_no))
        self.log.info("prepared shard %s: %s", self.shard_no, counts)
        return counts


class ValidateInvoicesOperator(BaseOperator):
    """One Great Expectations run over all invoices of the run; writes a verdict per invoice and the Data Docs."""

    def execute(self, context: Context) -> Counts:
        from hunyuan_ocr.intake.validate import validate

        with opened_stores() as intake:
            counts, docs = validate(intake, intake_run(context))
        self.log.info("validated: %s", counts)
        if docs:
            self.log.info("report of this run: %s", docs)
        return counts


class LoadStagingOperator(BaseOperator):
    """Loads the accepted invoices into the staging tables and sends the others to review: a transaction each."""

    def execute(self, context: Context) -> Counts:
        from hunyuan_ocr.intake.load import load

        with opened_stores() as intake:
            counts = load(intake, intake_run(context))
        self.log.info("loaded: %s", counts)
        return counts


class ReportRunOperator(BaseOperator):
    """Sums the run up and sends one alert when something was rejected; the same rejections are reported once."""

    def execute(self, context: Context) -> Counts:
        from hunyuan_ocr.intake.report import report
        from hunyuan_ocr.notifications.alert import send_alert

        with opened_stores() as intake:
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
        with opened_stores() as intake:
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
        with opened_stores() as intake:
            return check_run(intake, run, failed_tasks=failed)


def _links(context: Context) -> dict[str, str]:
    from airflow.sdk.configuration import conf

    base, run = str(conf.get("api", "base_url", fallback="")).rstrip("/"), context["dag_run"]
    return {"Airflow run": f"{base}/dags/{run.dag_id}/runs/{run.run_id}"} if base else {}

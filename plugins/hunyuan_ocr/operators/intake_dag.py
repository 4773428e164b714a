"""Builds the intake DAG, for the DAG file that ships with the provider and for people who prefer code to settings.

>>> from hunyuan_ocr.operators.intake_dag import build_intake_dag
>>> dag = build_intake_dag("invoices_shanghai", schedule="0 7 * * 1-5", timezone="Asia/Shanghai")
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TriggerRule

from hunyuan_ocr.extraction.prompts import names_of_invoice_profiles
from hunyuan_ocr.operators.intake import (
    AssignShardsOperator,
    ChooseSourcesOperator,
    CollectSourceOperator,
    LoadStagingOperator,
    PrepareDocumentsOperator,
    ReportRunOperator,
    RunGateOperator,
    SettleSourcesOperator,
    ValidateInvoicesOperator,
)
from hunyuan_ocr.operators.ocr import (
    ChoosePagesOperator,
    HunyuanOCROperator,
    ReconcileInvoicesOperator,
    engine_retries,
    on_the_engines_worker,
)
from hunyuan_ocr.settings import Settings

DOC = """
### From an inbox of invoices to ERP staging rows

Collects invoices from the sources of `sources.yaml` that arrived in the run's interval, archives them, reads them,
validates every field and loads the good ones into the staging tables. What was rejected, and why, is in the report
of the run, in the alert and in the view `v_attention`.

* **Trigger** takes what has arrived since the last interval began, up to now.
* **Backfill** takes what arrived in the intervals you choose; what was collected before comes from the archive.
* The run ends red when a task failed, a document was lost, or more invoices were rejected than `reject_ratio` allows.
"""


def build_intake_dag(
    dag_id: str = "invoice_intake",
    *,
    schedule: str | None = None,
    timezone: str | None = None,
    start_date: datetime | None = None,
    sources: tuple[str, ...] = (),
    engine: str | None = None,
    engine_conn_id: str | None = None,
    tags: tuple[str, ...] = ("invoices", "hunyuan_ocr"),
) -> DAG:
    """The intake DAG. What is not given comes from the settings of section ``[hunyuan_ocr]``.

    :param sources: codes of the sources this DAG collects from when nobody says otherwise; empty: all enabled ones.
    :param engine: what reads pictures (rapidocr, vllm, openai_server, transformers), and ``engine_conn_id`` the
        connection of openai_server.
    """
    settings = Settings.load()
    reads_with = {"engine": engine, "conn_id": engine_conn_id}
    with DAG(
        dag_id=dag_id,
        schedule=CronDataIntervalTimetable(schedule or settings.schedule, timezone=timezone or settings.timezone),
        start_date=start_date or datetime.fromisoformat(f"{settings.start_date}T00:00:00+00:00"),
        catchup=False,
        # Two runs at once would read the same backlog twice; a backfill has a limit of its own (its form asks for it).
        max_active_runs=1,
        description="Collect, read, validate and stage the invoices that arrived",
        doc_md=DOC,
        tags=list(tags),
        params=_params(settings, sources),
        default_args={"owner": "finance", "retries": 2, "retry_delay": timedelta(minutes=2)},
    ) as dag:
        choose = ChooseSourcesOperator(task_id="sources", retries=0)
        collect = CollectSourceOperator.partial(
            task_id="collect",
            map_index_template="{{ source_code }}",
            max_active_tis_per_dag=4,
            execution_timeout=timedelta(hours=2),
        ).expand(source_code=choose.output)
        # A source that cannot be reached must not hold up the others; the gate turns the run red in the end.
        shards = AssignShardsOperator(task_id="shards", sources_task_id="sources", trigger_rule=TriggerRule.ALL_DONE)

        prepare = PrepareDocumentsOperator.partial(task_id="prepare", execution_timeout=timedelta(hours=2)).expand(
            shard_no=shards.output
        )
        # Not a branch inside a mapped task group: Airflow 3.3 does not skip there, and OCR would take its slot.
        pages = ChoosePagesOperator(task_id="pages", trigger_rule=TriggerRule.ALL_DONE, **reads_with)
        ocr = HunyuanOCROperator.partial(
            task_id="ocr",
            **on_the_engines_worker(engine),
            **reads_with,
            retry_policy=engine_retries(),
            execution_timeout=timedelta(hours=6),
        ).expand(shard_no=pages.output)
        # A page that could not be read must not keep the other invoices from being reconciled.
        reconcile = ReconcileInvoicesOperator.partial(
            task_id="reconcile", trigger_rule=TriggerRule.ALL_DONE, **reads_with
        ).expand(shard_no=shards.output)
        validate = ValidateInvoicesOperator(task_id="validate", trigger_rule=TriggerRule.ALL_DONE)
        load = LoadStagingOperator(task_id="load")
        report = ReportRunOperator(task_id="report")
        settle = SettleSourcesOperator.partial(
            task_id="settle",
            map_index_template="{{ source_code }}",
            # Whether or not the alert went out, what is staged is settled.
            trigger_rule=TriggerRule.ALL_DONE,
        ).expand(source_code=choose.output)
        gate = RunGateOperator(task_id="gate", retries=0, trigger_rule=TriggerRule.ALL_DONE)

        (
            choose
            >> collect
            >> shards
            >> prepare
            >> pages
            >> ocr
            >> reconcile
            >> validate
            >> load
            >> report
            >> settle
            >> gate
        )
    return dag


def _params(settings: Settings, sources: tuple[str, ...]) -> dict[str, Param]:
    # A new kind of document is one more file, and shows up in the form.
    profiles = names_of_invoice_profiles(settings.prompts_dir)
    window, what, judge = "Which invoices", "How to read them", "When is the run red"
    return {
        "window_start": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Arrived from",
            description="Take what arrived from this moment on. Empty: the run's own interval.",
            section=window,
        ),
        "window_end": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Arrived before",
            description="Take what arrived before this moment. Empty: the run's own interval, or now when triggered by "
            "hand.",
            section=window,
        ),
        "sources": Param(
            list(sources) or None,
            type=["null", "array"],
            items={"type": "string"},
            title="Sources",
            description="Codes of the sources to collect from, one a line, as in sources.yaml. Empty: all of them.",
            section=window,
        ),
        "prompt_profile": Param(
            None,
            type=["null", "string"],
            title="Prompt profile",
            description="Read every document with this profile (a file of the prompts folder, without its ending). "
            "Empty: the profile is found from the page.",
            examples=profiles,
            section=what,
        ),
        "instruction": Param(
            None,
            type=["null", "string"],
            maxLength=500,
            title="Instruction to HunyuanOCR",
            description="Asked of every page that is only a picture, in place of the official question for its fields. "
            "{keys} stands for the list of labels. Unusual words make answers worse.",
            section=what,
        ),
        "extra_keys": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Further labels to ask for",
            description="As printed on the document, one a line. HunyuanOCR is asked for them too; the answers stand "
            "with the evidence of the invoice.",
            section=what,
        ),
        "reprocess": Param(
            False,
            type="boolean",
            title="Read again",
            description="Reconcile and validate again what earlier runs have finished. What the ERP has posted stays.",
            section=what,
        ),
        "reject_ratio": Param(
            settings.reject_ratio,
            type="number",
            minimum=0,
            maximum=1,
            title="Tolerated share of rejections",
            description="The run ends red when more than this share of its invoices was rejected (0 to 1).",
            section=judge,
        ),
    }

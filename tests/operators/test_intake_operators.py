"""The operators as tasks: which window they work on, what turns a run red, what is tried again and what is not."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from demo.deliver import send
from demo.mails import Attachment, build
from demo.samples.recipes import Recipe, make
from demo.servers import INVOICE_ADDRESS, MailServer, SftpServer
from hunyuan_ocr.exceptions import RunRejectedError, SourceUnavailableError
from hunyuan_ocr.hooks.stores import open_intake
from hunyuan_ocr.operators.base import intake_run
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
from hunyuan_ocr.operators.ocr import ChoosePagesOperator, HunyuanOCROperator, ReconcileInvoicesOperator
from hunyuan_ocr.sources.base import Verdict, Window

START, END = datetime(2026, 3, 1, 6, tzinfo=UTC), datetime(2026, 3, 2, 6, tzinfo=UTC)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FOLDER = "- {code: inbox, kind: folder, path: inbox, stable_seconds: 0}"
SFTP = "- {code: supplier, kind: sftp, conn_id: supplier_sftp, path: /inbox, stable_seconds: 0}"
MAIL = "- {code: mail, kind: mailbox, conn_id: invoice_mailbox}"
FORM = {"reject_ratio": 0.5, "sources": [], "reprocess": False}

Context = Any


def context(
    run_type: str = "scheduled",
    *,
    has_interval: bool = True,
    states: dict[str, str] | None = None,
    xcom: object = None,
    **params: object,
) -> Context:
    """What a task is given, as far as our operators look at it."""
    run_id = f"{run_type}__2026-03-01T06:00:00+00:00"
    given: Context = {
        "dag_run": SimpleNamespace(dag_id="invoice_intake", run_id=run_id, run_type=run_type, run_after=NOON),
        "params": FORM | params,
        "ti": SimpleNamespace(
            xcom_pull=lambda task_ids: xcom, get_task_states=lambda dag_id, run_ids: {run_id: states or {}}
        ),
    }
    # Airflow leaves these keys out for a run without a logical date.
    interval = {"data_interval_start": START, "data_interval_end": END, "logical_date": START}
    return given | interval if has_interval else given


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__HUNYUAN_OCR__HOME", str(tmp_path))
    (tmp_path / "inbox").mkdir()
    return tmp_path


@pytest.fixture
def sources(home: Path) -> Callable[..., None]:
    def declare(*lines: str) -> None:
        (home / "sources.yaml").write_text("\n".join(["sources:", *lines]), encoding="utf-8")

    return declare


def arrive(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        arrive_at(make(folder, Recipe(name, "cn_digital_special", line_count=2), 7, START.date()).path, number)


def arrive_at(path: Path, minute: int) -> None:
    moment = (START + timedelta(hours=1, minutes=minute)).timestamp()
    os.utime(path, (moment, moment))


def walk_to_load(given: Context, *codes: str) -> None:
    """The tasks between collecting and the report, in their order."""
    shards = AssignShardsOperator(task_id="shards", sources_task_id="sources").execute(
        given | {"ti": SimpleNamespace(xcom_pull=lambda task_ids: list(codes))}
    )
    for shard_no in shards:
        PrepareDocumentsOperator(task_id="prepare", shard_no=shard_no).execute(given)
    for shard_no in ChoosePagesOperator(task_id="pages").execute(given):
        HunyuanOCROperator(task_id="ocr", shard_no=shard_no).execute(given)
    for shard_no in shards:
        ReconcileInvoicesOperator(task_id="reconcile", shard_no=shard_no).execute(given)
    ValidateInvoicesOperator(task_id="validate").execute(given)
    LoadStagingOperator(task_id="load").execute(given)


def gate(given: Context) -> dict[str, int]:
    return RunGateOperator(task_id="gate").execute(given)


class TestWindowOfARun:
    @pytest.mark.parametrize(("run_type", "takes_backlog"), [("scheduled", True), ("backfill", False)])
    def test_a_planned_run_takes_its_interval_and_only_a_backfill_keeps_to_it(
        self, run_type: str, takes_backlog: bool
    ) -> None:
        run = intake_run(context(run_type))
        assert (run.window, run.takes_backlog) == (Window(START, END), takes_backlog)
        assert (run.dag_id, run.run_type, run.logical_date) == ("invoice_intake", run_type, START)

    def test_a_manual_run_reaches_up_to_now(self) -> None:
        assert intake_run(context("manual")).window == Window(START, NOON)

    def test_a_manual_run_without_a_logical_date_looks_back_one_day(self) -> None:
        run = intake_run(context("manual", has_interval=False))
        assert run.window == Window(NOON - timedelta(days=1), NOON)
        assert run.logical_date is None and run.takes_backlog

    def test_a_window_asked_for_in_the_form_is_kept_to(self) -> None:
        run = intake_run(context("manual", window_start="2026-02-01T00:00:00+00:00", window_end=END.isoformat()))
        assert (run.window, run.takes_backlog) == (Window(datetime(2026, 2, 1, tzinfo=UTC), END), False)

    def test_what_the_form_says_about_reading_is_passed_on(self) -> None:
        run = intake_run(context(reprocess=True, prompt_profile="receipt", reject_ratio=0.25))
        assert (run.reprocess, run.prompt_profile, run.reject_ratio) == (True, "receipt", 0.25)

    def test_run_types_of_airflow_are_understood(self) -> None:
        from airflow.utils.types import DagRunType

        given = context()
        given["dag_run"].run_type = DagRunType.BACKFILL_JOB
        assert intake_run(given).run_type == "backfill"
        assert not intake_run(given).takes_backlog


class TestWhatIsNotTriedAgain:
    """An error of configuration, or a refusal: a retry repeats it, and a wrong password locks the account."""

    def test_an_empty_window(self) -> None:
        with pytest.raises(AirflowFailException, match="window_start must lie before"):
            intake_run(context(window_start="2026-03-05T00:00:00+00:00"))

    def test_a_missing_or_wrong_sources_file(self, home: Path, sources: Callable[..., None]) -> None:
        with pytest.raises(AirflowFailException, match=r"sources\.yaml: there is no such file"):
            ChooseSourcesOperator(task_id="sources").execute(context())
        sources("- {code: inbox, kind: pigeon}")
        with pytest.raises(AirflowFailException, match="kind"):
            ChooseSourcesOperator(task_id="sources").execute(context())

    def test_a_source_that_is_not_declared(self, sources: Callable[..., None]) -> None:
        sources(FOLDER)
        with pytest.raises(AirflowFailException, match=r"declares no source nowhere; it has inbox"):
            ChooseSourcesOperator(task_id="sources").execute(context(sources=["nowhere"]))

    def test_a_source_that_went_away_between_two_tasks(self, home: Path, sources: Callable[..., None]) -> None:
        sources(FOLDER)
        for operator in (CollectSourceOperator, SettleSourcesOperator):
            with pytest.raises(AirflowFailException, match="declares no source gone"):
                operator(task_id="task", source_code="gone").execute(context())

    def test_a_mailbox_without_a_connection_that_can_be_used(
        self, sources: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sources(MAIL)
        monkeypatch.setenv("AIRFLOW_CONN_INVOICE_MAILBOX", json.dumps({"conn_type": "hunyuan_mailbox", "host": "x"}))
        with pytest.raises(AirflowFailException, match="connection invoice_mailbox: login is empty"):
            CollectSourceOperator(task_id="collect", source_code="mail").execute(context())

    def test_a_refused_login(
        self, sources: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        sources(SFTP)
        with SftpServer(tmp_path_factory.mktemp("sftp")) as server:
            wrong = server.connection() | {"password": "not-this-one"}
            monkeypatch.setenv("AIRFLOW_CONN_SUPPLIER_SFTP", json.dumps(wrong))
            with pytest.raises(AirflowFailException, match="supplier") as refused:
                CollectSourceOperator(task_id="collect", source_code="supplier").execute(context())
        assert "not-this-one" not in str(refused.value)

    def test_a_folder_that_is_not_there(self, home: Path, sources: Callable[..., None]) -> None:
        sources(FOLDER)
        (home / "inbox").rmdir()
        with pytest.raises(AirflowFailException, match="there is no folder"):
            CollectSourceOperator(task_id="collect", source_code="inbox").execute(context())

    def test_a_database_connection_that_does_not_exist(
        self, home: Path, sources: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sources(FOLDER)
        monkeypatch.setenv("AIRFLOW__HUNYUAN_OCR__DATABASE_CONN_ID", "no_such_database")
        for task in (
            CollectSourceOperator(task_id="collect", source_code="inbox"),
            PrepareDocumentsOperator(task_id="prepare", shard_no=0),
            ValidateInvoicesOperator(task_id="validate"),
            RunGateOperator(task_id="gate"),
        ):
            with pytest.raises(AirflowFailException, match="Connection no_such_database does not exist"):
                task.execute(context())

    def test_no_sources_were_chosen(self, home: Path) -> None:
        with pytest.raises(AirflowFailException, match="Task sources chose no sources"):
            AssignShardsOperator(task_id="shards", sources_task_id="sources").execute(context(xcom=None))

    def test_an_alert_that_cannot_be_configured(
        self, home: Path, sources: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sources(FOLDER)
        (home / "inbox" / "empty.pdf").write_bytes(b"")
        arrive_at(home / "inbox" / "empty.pdf", 0)
        monkeypatch.setenv("AIRFLOW__HUNYUAN_OCR__ALERT_NOTIFIER", "no.such.Notifier")
        CollectSourceOperator(task_id="collect", source_code="inbox").execute(context())
        walk_to_load(context(), "inbox")
        with pytest.raises(AirflowFailException, match=r"alert_notifier no\.such\.Notifier"):
            ReportRunOperator(task_id="report").execute(context())


class TestTheGate:
    def test_is_green_when_everything_that_arrived_is_staged(self, home: Path, sources: Callable[..., None]) -> None:
        sources(FOLDER)
        arrive(home / "inbox", "one", "two")
        CollectSourceOperator(task_id="collect", source_code="inbox").execute(context())
        walk_to_load(context(), "inbox")
        assert gate(context())["staged"] == 2

    def test_is_green_when_nothing_arrived(self, home: Path, sources: Callable[..., None]) -> None:
        sources(FOLDER)
        walk_to_load(context(), "inbox")
        assert gate(context())["invoices"] == 0

    def test_names_the_tasks_that_failed(self, home: Path, sources: Callable[..., None]) -> None:
        sources(FOLDER)
        walk_to_load(context(), "inbox")
        states = {"sources": "success", "collect_1": "failed", "ocr_0": "upstream_failed", "settle_0": "skipped"}
        with pytest.raises(RunRejectedError, match="failed tasks: collect_1, ocr_0 ") as red:
            gate(context(states=states))
        assert "look at their logs" in str(red.value) and "settle_0" not in str(red.value)

    def test_says_how_many_documents_were_lost(self, home: Path, sources: Callable[..., None]) -> None:
        sources(FOLDER)
        arrive(home / "inbox", "one", "two")
        CollectSourceOperator(task_id="collect", source_code="inbox").execute(context())
        (shard_no,) = AssignShardsOperator(task_id="shards", sources_task_id="sources").execute(context(xcom=["inbox"]))
        PrepareDocumentsOperator(task_id="prepare", shard_no=shard_no).execute(context())
        with pytest.raises(RunRejectedError, match="2 documents are in no final state"):
            gate(context())

    def test_counts_rejections_against_the_ratio_of_the_form(self, home: Path, sources: Callable[..., None]) -> None:
        sources(FOLDER)
        arrive(home / "inbox", "one")
        (home / "inbox" / "empty.pdf").write_bytes(b"")
        arrive_at(home / "inbox" / "empty.pdf", 5)
        CollectSourceOperator(task_id="collect", source_code="inbox").execute(context())
        walk_to_load(context(), "inbox")
        with pytest.raises(RunRejectedError, match="50% of the invoices were rejected, more than reject_ratio 40%"):
            gate(context(reject_ratio=0.4))
        assert gate(context(reject_ratio=0.5))["quarantined"] == 1


class TestOneSourceOfTwo:
    def test_the_invoices_of_the_other_are_staged_and_the_run_is_red(
        self, home: Path, sources: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sources(FOLDER, SFTP)
        nobody = {"conn_type": "sftp", "host": "127.0.0.1", "port": closed_port(), "login": "x", "password": "y"}
        host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3bDNpRpIfC0NgPYbLVOBpIgzNkBaxDbzMMmFbXXXXX"
        monkeypatch.setenv("AIRFLOW_CONN_SUPPLIER_SFTP", json.dumps(nobody | {"extra": {"host_key": host_key}}))
        arrive(home / "inbox", "one")
        codes = ChooseSourcesOperator(task_id="sources").execute(context())
        assert codes == ["inbox", "supplier"]
        assert CollectSourceOperator(task_id="collect", source_code="inbox").execute(context())["collected"] == 1
        with pytest.raises(SourceUnavailableError, match="supplier"):  # tried again by Airflow, then failed
            CollectSourceOperator(task_id="collect", source_code="supplier").execute(context())
        walk_to_load(context(), *codes)
        assert ReportRunOperator(task_id="report").execute(context())["staged"] == 1
        assert SettleSourcesOperator(task_id="settle", source_code="inbox").execute(context())["accepted"] == 1
        # Nothing came from it, so that settling it needs no connection.
        assert SettleSourcesOperator(task_id="settle", source_code="supplier").execute(context())["settled"] == 0
        with pytest.raises(RunRejectedError, match="failed tasks: collect_1"):
            gate(context(states={"collect_0": "success", "collect_1": "failed"}))
        assert (home / "inbox" / "processed" / "one.pdf").is_file()

    def test_what_could_not_be_collected_is_collected_by_the_next_run(
        self, home: Path, sources: Callable[..., None]
    ) -> None:
        sources(FOLDER)
        arrive(home / "inbox", "one")
        tomorrow = context()
        tomorrow |= {"data_interval_start": END, "data_interval_end": END + timedelta(days=1)}
        tomorrow["dag_run"].run_id = "scheduled__2026-03-02T06:00:00+00:00"
        assert CollectSourceOperator(task_id="collect", source_code="inbox").execute(tomorrow)["collected"] == 1
        walk_to_load(tomorrow, "inbox")
        assert gate(tomorrow)["staged"] == 1


class TestSettling:
    def test_one_refused_item_does_not_keep_the_others_from_being_settled(
        self,
        sources: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> None:
        # This server keeps no keywords: it refuses to flag a mail, but can move one.
        sources(MAIL.replace("}", ", settle: {on_accepted: move, on_review: flag}}"))
        good = make(tmp_path, Recipe("one", "cn_digital_special", line_count=2), 7, START.date()).path.read_bytes()
        with MailServer(tmp_path_factory.mktemp("mail"), dates_from_header=True) as server:
            monkeypatch.setenv("AIRFLOW_CONN_INVOICE_MAILBOX", json.dumps(server.imap_connection()))
            mails = [
                build(
                    "octet_stream",
                    [Attachment(f"{number}.pdf", raw)],
                    sender="accounts@supplier.example",
                    recipient=INVOICE_ADDRESS,
                    sent_at=START + timedelta(minutes=number),
                    subject="Invoice",
                )
                for number, raw in enumerate((b"%PDF-1.4 broken", good))
            ]
            send(mails, server.smtp_connection())
            CollectSourceOperator(task_id="collect", source_code="mail").execute(context())
            walk_to_load(context(), "mail")
            with pytest.raises(AirflowFailException, match="keeps no keywords like HunyuanReview"):
                SettleSourcesOperator(task_id="settle", source_code="mail").execute(context())
        with open_intake() as intake:
            (waiting,) = intake.store.items_ready_to_settle(intake.batch(intake_run(context())))
        assert waiting.verdict is Verdict.NEEDS_REVIEW, "the good mail is settled, the other waits"


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

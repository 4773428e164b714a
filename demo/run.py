"""``make demo``: deliver sample invoices to a mailbox and an SFTP server, run the DAG, show what was staged.

Real servers, a real DAG run and real readers; only the documents are made up. Starts afresh every time.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from demo.airflow_home import ROOT, environment, prepare
from demo.deliver import deliver
from demo.engine import chosen_engine
from demo.samples import demo_set
from demo.servers import ALERT_ADDRESS, MailServer, SftpServer, airflow_connections
from demo.summary import print_summary, unexpected_outcomes

DAG_ID = "invoice_intake"
STEPS = (
    "sources",
    "collect",
    "shards",
    "prepare",
    "pages",
    "ocr",
    "reconcile",
    "validate",
    "load",
    "report",
    "settle",
    "gate",
)


def main() -> int:
    # Wide enough for the tables also where the output is no terminal, as on CI.
    console = Console(highlight=False, width=max(Console().width, 150))
    started = time.monotonic()
    engine = chosen_engine()
    for folder in ("airflow", "hunyuan_ocr", "mail", "sftp", "samples", "logs"):
        shutil.rmtree(ROOT / folder, ignore_errors=True)
    ROOT.mkdir(parents=True, exist_ok=True)
    with MailServer(ROOT / "mail", dates_from_header=True) as mail, SftpServer(ROOT) as sftp:
        console.print(f"mailbox on port {mail.imaps_port} (IMAP with TLS), SFTP on port {sftp.port}")
        samples = demo_set(ROOT / "samples", datetime.now(UTC).date())
        connections = {**airflow_connections(mail, sftp), **engine.connections}
        delivered = deliver(
            samples,
            smtp=connections["invoice_alerts"],
            sftp=connections["invoice_sftp"],
            delivered_at=datetime.now(UTC) - timedelta(hours=2),
        )
        console.print(
            f"delivered {len(samples)} documents: {delivered.mails} mails, {len(delivered.files)} files by SFTP"
        )
        env = {**environment(ROOT, connections), **engine.environment}
        prepare(ROOT, env)
        console.print(f"running the DAG [bold]{DAG_ID}[/], pictures read by {engine.name}")
        console.print(f"(log: {os.path.relpath(ROOT / 'dag.log')})")
        code = _run_dag(console, env)
        print_summary(console, ROOT / "hunyuan_ocr", mail, ALERT_ADDRESS)
    problems = unexpected_outcomes(ROOT / "hunyuan_ocr", samples)
    for problem in problems:
        console.print(f"[red]not as planted:[/] {problem}")
    console.print(f"\n{time.monotonic() - started:.0f} s. [bold]make up[/] shows the run in Airflow's pages.")
    # What RapidOCR makes of the samples is known; a model of yours may read them otherwise, and is told so.
    return 1 if code or (problems and engine.name == "rapidocr") else 0


def _run_dag(console: Console, env: Mapping[str, str]) -> int:
    """Run the DAG and tell its steps as they end; the exit code of ``airflow dags test``."""
    database = Path(env["AIRFLOW_HOME"]) / "airflow.db"
    told: set[str] = set()
    with (ROOT / "dag.log").open("w") as log:
        # Started from here, not by a scheduler: the same tasks in the same order, and it ends when the run ends.
        process = subprocess.Popen(["airflow", "dags", "test", DAG_ID], env=dict(env), stdout=log, stderr=log)
        while process.poll() is None:
            time.sleep(0.3)
            _tell_steps(console, database, told)
        _tell_steps(console, database, told)
    return process.returncode


def _tell_steps(console: Console, database: Path, told: set[str]) -> None:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5) as connection:
        rows = connection.execute(
            "select task_id, state, count(*), min(start_date), max(end_date) from task_instance where dag_id = ? "
            "group by task_id, state",
            [DAG_ID],
        ).fetchall()
    by_task: dict[str, dict[str, tuple[int, str, str]]] = {}
    for task_id, state, number, start, end in rows:
        by_task.setdefault(task_id, {})[state] = (number, start, end)
    for step in STEPS:
        states = by_task.get(step, {})
        if step in told or not states or set(states) - {"success", "skipped", "failed", "upstream_failed"}:
            continue
        told.add(step)
        number, start, end = next(iter(states.values()))
        took = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() if start and end else 0
        colour = "green" if set(states) <= {"success", "skipped"} else "red"
        mapped = f" x{number}" if number > 1 else ""
        console.print(f"  [{colour}]{'+'.join(states)}[/] {step}{mapped} ({took:.1f} s)")


if __name__ == "__main__":
    sys.exit(main())

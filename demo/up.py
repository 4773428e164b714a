"""``make up``: the demo's servers with ``airflow standalone``: look at runs, trigger one, click a backfill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from rich.console import Console

from demo.airflow_home import ROOT, environment, prepare
from demo.deliver import deliver
from demo.engine import chosen_engine
from demo.samples import demo_set
from demo.servers import MailServer, SftpServer, airflow_connections

PORT = 8080


def main() -> int:
    console = Console(highlight=False)
    engine = chosen_engine()
    ROOT.mkdir(parents=True, exist_ok=True)
    with MailServer(ROOT / "mail", dates_from_header=True) as mail, SftpServer(ROOT) as sftp:
        connections = {**airflow_connections(mail, sftp), **engine.connections}
        # Mail of the last three days, so that there is something to backfill.
        now = datetime.now(UTC)
        for days_ago in (3, 2, 1):
            moment = now - timedelta(days=days_ago)
            samples = demo_set(ROOT / "samples" / str(days_ago), moment.date(), seed=days_ago)
            deliver(
                samples,
                smtp=connections["invoice_alerts"],
                sftp=connections["invoice_sftp"],
                delivered_at=moment - timedelta(hours=2),
            )
        # The daily run would take what is left of the days before, too; the demo leaves their mail to a backfill.
        env = environment(ROOT, connections, port=PORT) | {"AIRFLOW__HUNYUAN_OCR__BACKLOG_DAYS": "0"}
        env.update(engine.environment)
        prepare(ROOT, env)
        if engine.name != "rapidocr":
            subprocess.run(["airflow", "pools", "set", "gpu", "1", "HunyuanOCR"], env=env, check=True)
        console.print(f"\nAirflow: [bold]http://127.0.0.1:{PORT}/dags/invoice_intake[/] (in about half a minute)")
        first, last = (f"{now - timedelta(days=days):%Y-%m-%d}" for days in (3, 1))
        console.print("The daily run starts by itself. The mail of the two days before it waits for a backfill:")
        console.print(f"Trigger > Backfill, from {first} to {last}. Interrupt (Ctrl-C) to stop.\n")
        with (ROOT / "airflow.log").open("w") as log:
            return _until_interrupted(
                subprocess.Popen(["airflow", "standalone"], env=env, stdout=log, stderr=log, start_new_session=True)
            )


def _until_interrupted(process: subprocess.Popen[bytes]) -> int:
    """Wait for the program; when we are told to stop, stop it and all it started."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        return process.wait()
    except KeyboardInterrupt:
        # standalone stops its parts when it is interrupted, not when it is terminated.
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        return 0


if __name__ == "__main__":
    sys.exit(main())

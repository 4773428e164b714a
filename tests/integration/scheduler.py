"""Airflow's own processes (API server, DAG processor, scheduler with LocalExecutor) around a ``Deployment``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.integration.deployment import Deployment

# A cluster policy is Airflow's own way to change what a DAG file says: tests need not wait two minutes for a retry.
_POLICY = """\
from datetime import timedelta


def task_policy(task):
    task.retry_delay = timedelta(seconds=1)
"""


class Airflow:
    """The processes of one deployment; those that were started are stopped when the block ends."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._processes: list[subprocess.Popen[bytes]] = []
        config = deployment.root / "airflow" / "config"
        config.mkdir(parents=True, exist_ok=True)
        (config / "airflow_local_settings.py").write_text(_POLICY, encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def start(self, name: str, *arguments: str) -> None:
        with (self._deployment.root / f"{name}.log").open("wb") as log:
            self._processes.append(
                # A group of its own, so that stopping it also reaches the tasks it has started.
                subprocess.Popen(
                    ["airflow", name, *arguments],
                    env=self._deployment.environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def start_api_server(self) -> None:
        self.start("api-server", "--port", str(self._deployment.port), "--workers", "1")

    def __exit__(self, *exc: object) -> None:
        # Whatever becomes of it, the deployment is thrown away: no need to let them finish their work.
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in self._processes:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            deadline = time.monotonic() + 4
            while time.monotonic() < deadline and any(process.poll() is None for process in self._processes):
                time.sleep(0.1)
        for process in self._processes:
            process.wait()


def is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_until(is_true: Callable[[], object], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def last_lines(folder: Path, count: int = 25) -> str:
    """The end of every log of the processes, for the message of a failed test."""
    return "\n".join(
        f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-count:])
        for log in sorted(folder.glob("*.log"))
    )

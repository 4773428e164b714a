"""An Airflow of its own in a temporary folder, run as a person would run it: by the ``airflow`` command.

Settings and connections come from the environment, so that nothing of one test is seen by another.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.airflow_home import environment

DAG_ID = "invoice_intake"


@dataclass
class Deployment:
    """A home folder with ``sources.yaml``, the connections it needs, and a migrated metadata database."""

    root: Path
    connections: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = 8080

    @property
    def home(self) -> Path:
        """Where the provider keeps its own things."""
        return self.root / "hunyuan_ocr"

    @property
    def metadata(self) -> Path:
        return self.root / "airflow" / "airflow.db"

    @property
    def environment(self) -> dict[str, str]:
        own = {f"AIRFLOW__HUNYUAN_OCR__{name.upper()}": value for name, value in self.settings.items()}
        # A task's log is read back by the tests: without colours, and with everything a person would see.
        return environment(self.root, self.connections, port=self.port) | own | {"NO_COLOR": "1"}

    def prepare(self, sources: str, metadata_template: Path) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "sources.yaml").write_text(sources, encoding="utf-8")
        self.metadata.parent.mkdir(parents=True, exist_ok=True)
        copy_database(metadata_template, self.metadata)

    def airflow(self, *arguments: str, timeout: float = 240) -> Finished:
        done = subprocess.run(
            ["airflow", *arguments], env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        # For the person who looks into a failed test: pytest keeps the folder.
        with (self.root / "airflow.log").open("a", encoding="utf-8") as log:
            log.write(f"$ airflow {' '.join(arguments)}\n{done.stdout}{done.stderr}\n")
        return Finished(done.returncode, done.stdout, done.stderr)

    def run_dag(self, **conf: object) -> Finished:
        """The whole DAG, as ``airflow dags test`` runs it."""
        return self.airflow("dags", "test", DAG_ID, *(["--conf", json.dumps(conf)] if conf else []))

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of Airflow's metadata database."""
        with sqlite3.connect(f"file:{self.metadata}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute(sql, parameters).fetchall()


@dataclass(frozen=True)
class Finished:
    """A command that has ended: its exit code and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def log(self) -> str:
        return self.stdout + self.stderr


def copy_database(source: Path, target: Path) -> None:
    """Copy an SQLite database with what still stands in its write-ahead log."""
    with sqlite3.connect(f"file:{source}?mode=ro", uri=True) as old, sqlite3.connect(target) as new:
        old.backup(new)


def metadata_of_the_tests() -> Path:
    """The metadata database that the fixture ``airflow_database`` has initialised."""
    return Path(os.environ["AIRFLOW_HOME"]) / "airflow.db"

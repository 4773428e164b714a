"""An Airflow of its own for the demo: folder, settings and environment, nothing outside ``var/demo``."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.servers import ALERT_ADDRESS, REPOSITORY, airflow_environment

ROOT = REPOSITORY / "var" / "demo"
#: An empty, migrated metadata database, kept so that the next demo need not migrate one.
_EMPTY_DATABASE = REPOSITORY / "var" / "cache" / "airflow.db"
SOURCES = """\
# The demo's sources. The form is described in docs/sources.md.
sources:
  - code: invoice_mail
    kind: mailbox
    conn_id: invoice_mailbox
    folder: INBOX
    settle: {on_accepted: move, on_review: move}
  - code: supplier_sftp
    kind: sftp
    conn_id: invoice_sftp
    path: /inbox
    stable_seconds: 1
"""


def environment(root: Path, connections: Mapping[str, Mapping[str, Any]], *, port: int = 8080) -> dict[str, str]:
    """The environment Airflow runs in. Connections come from it too: the demo writes no secret into a database."""
    home = root / "airflow"
    own = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API_AUTH__JWT_SECRET": _kept_secret(root / "jwt.secret"),
        "AIRFLOW__HUNYUAN_OCR__HOME": str(root / "hunyuan_ocr"),
        "AIRFLOW__HUNYUAN_OCR__ALERT_TO": ALERT_ADDRESS,
        "AIRFLOW__HUNYUAN_OCR__ALERT_SMTP_CONN_ID": "invoice_alerts",
    }
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW_", "PYTHONPATH")) and name != "PATH"
    }
    return {**inherited, **own, **airflow_environment(connections)}


def prepare(root: Path, env: Mapping[str, str]) -> None:
    """Write ``sources.yaml`` and bring Airflow's metadata database into being."""
    home = root / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    own = root / "hunyuan_ocr"
    own.mkdir(parents=True, exist_ok=True)
    (own / "sources.yaml").write_text(SOURCES, encoding="utf-8")
    database = home / "airflow.db"
    if _EMPTY_DATABASE.is_file() and not database.exists():
        shutil.copyfile(_EMPTY_DATABASE, database)
    # Also with a copy: after an upgrade of Airflow it is brought to the current schema.
    with (root / "migrate.log").open("w") as log:
        subprocess.run(["airflow", "db", "migrate"], env=env, stdout=log, stderr=log, check=True)
    if not _EMPTY_DATABASE.is_file():
        _EMPTY_DATABASE.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(database, _EMPTY_DATABASE)


def _kept_secret(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text()

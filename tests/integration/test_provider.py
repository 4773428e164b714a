"""What Airflow knows of the installed package: the provider, the plugin, the connection form, the settings."""

from __future__ import annotations

import importlib
import importlib.resources
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hunyuan_ocr.get_provider_info import get_provider_info
from hunyuan_ocr.options import OPTIONS, SECTION
from tests.integration.deployment import Deployment, Finished

PACKAGE = "airflow-provider-hunyuan-ocr"
COMMANDS = (
    ("providers", "list", "--output", "json"),
    ("providers", "hooks", "--output", "json"),
    ("plugins", "--output", "json"),
    ("config", "list", "--section", SECTION, "--defaults", "--show-values"),
    ("connections", "get", "invoice_mailbox", "--output", "json"),
)
DEFAULTS = {option.name: option.default for option in OPTIONS}
# One interpreter for all commands: each would spend seconds on importing Airflow.
_SCRIPT = """
import sys
from airflow.cli import cli_parser
parser = cli_parser.get_parser()
for command in {commands!r}:
    print("#### " + " ".join(command), flush=True)
    arguments = parser.parse_args(command)
    arguments.func(arguments)
from airflow import plugins_manager
print("#### import errors", flush=True)
print(plugins_manager.get_import_errors())
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Finished]:
    """What each command printed, and all of it."""
    connection = {"conn_type": "hunyuan_mailbox", "host": "imap.example", "login": "a", "password": "b"}
    deployment = Deployment(tmp_path_factory.mktemp("site"), {"invoice_mailbox": connection})
    deployment.root.joinpath("airflow").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT.format(commands=COMMANDS)],
        env=deployment.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    answers = dict(part.split("\n", 1) for part in done.stdout.split("#### ")[1:])
    return answers, Finished(done.returncode, done.stdout, done.stderr)


def answer(told: tuple[dict[str, str], Finished], command: str) -> str:
    answers, done = told
    assert done.code == 0, done.log[-3000:]
    (found,) = [text for name, text in answers.items() if name.startswith(command)]
    return found


def rows(text: str) -> list[dict[str, str]]:
    """The JSON a command printed, between the lines it logged."""
    (listed,) = re.findall(r"^\[.*\]$|^\[\n.*?^\]$", text, re.MULTILINE | re.DOTALL)
    found: list[dict[str, str]] = json.loads(listed)
    return found


def test_the_provider_is_listed(told: tuple[dict[str, str], Finished]) -> None:
    (ours,) = [row for row in rows(answer(told, "providers list")) if row["package_name"] == PACKAGE]
    assert ours["version"] == get_provider_info()["versions"][0]


def test_the_connection_type_is_known_and_its_hook_can_be_imported(told: tuple[dict[str, str], Finished]) -> None:
    (ours,) = [row for row in rows(answer(told, "providers hooks")) if row["connection_type"] == "hunyuan_mailbox"]
    assert ours["class"] == "hunyuan_ocr.hooks.mailbox.MailboxHook"
    (shown,) = rows(answer(told, "connections get"))
    assert shown["conn_type"] == "hunyuan_mailbox"


def test_the_plugin_is_loaded_once_and_without_errors(told: tuple[dict[str, str], Finished]) -> None:
    (ours,) = [row for row in rows(answer(told, "plugins")) if row["name"] == "hunyuan_ocr"]
    assert PACKAGE in ours["source"]
    assert answer(told, "import errors").strip() == "{}"


def test_every_setting_is_listed_with_its_default(told: tuple[dict[str, str], Finished]) -> None:
    listed = dict(re.findall(r"^# (\w+) = (.*)$", answer(told, "config list"), re.MULTILINE))
    assert {name: listed.get(name, "").strip() for name in DEFAULTS} == DEFAULTS


def test_airflow_has_nothing_to_complain_about(told: tuple[dict[str, str], Finished]) -> None:
    _, done = told
    complaints = [
        line for line in done.log.splitlines() if re.search(r"(?i)\[(warning|error|critical)|warning:|traceback", line)
    ]
    # Two are Airflow's own, with or without us: reference to a renamed class, and no graph drawing without graphviz.
    assert [line for line in complaints if "GitWildMatchPattern" not in line and "graphviz" not in line] == []


def test_the_provider_info_is_what_airflow_asks_for_and_names_modules_that_exist() -> None:
    import jsonschema

    info = get_provider_info()
    schema = json.loads(importlib.resources.files("airflow").joinpath("provider_info.schema.json").read_text())
    jsonschema.validate(info, schema)
    for kind in ("operators", "hooks"):
        for entry in info[kind]:
            for module in entry["python-modules"]:
                importlib.import_module(module)


def test_the_plugins_folder_is_not_executed_file_by_file() -> None:
    """Airflow's folder loader would run every file under its stem as a top-level module."""
    repository = Path(__file__).resolve().parents[2]
    assert "hunyuan_ocr/" in (repository / "plugins" / ".airflowignore").read_text().split()

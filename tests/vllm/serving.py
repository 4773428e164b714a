"""A real vLLM server with the tiny checkpoint on a free port of this machine, behind an API key."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path
from urllib.error import URLError

from hunyuan_ocr.engines.core_processes import descendants, end

MODEL_NAME = "tencent/HunyuanOCR"
CONTEXT = 16_384
KV_CACHE_BYTES = 256 << 20
_START_SECONDS = 300


@dataclass(frozen=True)
class Server:
    """Where it listens, its key, the name it serves the model by, and its log."""

    url: str
    api_key: str
    model: str
    log: Path
    pid: int


@contextmanager
def tiny_server(checkpoint: Path, *, packages: Path | None = None) -> Iterator[Server]:
    """Start the server and wait until it answers; end it with all its processes afterwards.

    ``packages`` is a folder of packages that it takes before those of the environment.
    """
    port, key = _free_port(), secrets.token_urlsafe(24)
    log = Path(tempfile.mkdtemp(prefix="tiny-server-")) / "server.log"
    arguments = {
        "model": checkpoint,
        "served-model-name": MODEL_NAME,
        "host": "127.0.0.1",
        "port": port,
        "api-key": key,
        "dtype": "float32",
        "max-model-len": CONTEXT,
        "max-num-batched-tokens": 4096,
        "max-num-seqs": 32,
        "kv-cache-memory-bytes": KV_CACHE_BYTES,
        "limit-mm-per-prompt": '{"image": 1, "video": 0}',
        "seed": 0,
    }
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager"]
    command += [f"--{name}={value}" for name, value in arguments.items()]
    path = os.pathsep.join(filter(None, [str(packages or ""), os.environ.get("PYTHONPATH", "")]))
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": path}, cwd=log.parent
        )
    try:
        server = Server(f"http://127.0.0.1:{port}", key, MODEL_NAME, log, process.pid)
        _wait_until_healthy(server, process)
        yield server
    finally:
        started = descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        end(started, grace_seconds=5)


def transformers_at(version: str, folder: Path) -> Path:
    """``folder`` with that version of transformers and nothing else; installed when it is not there."""
    if not any(PathDistribution(info).version == version for info in folder.glob("transformers-*.dist-info")):
        requirement = f"transformers=={version}"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", f"--target={folder}", requirement]
        subprocess.run(command, check=True)
    return folder


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_healthy(server: Server, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/health", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.5)
    ended = f"ended with {process.poll()}" if process.poll() is not None else f"took over {_START_SECONDS} s"
    raise RuntimeError(f"vLLM's server {ended}:\n{server.log.read_text(errors='replace')[-4000:]}")

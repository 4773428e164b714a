"""The stub runs beside a test in a thread, and as a process of its own for benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.model_stub import MODEL, StubSettings, running

ROOT = Path(__file__).resolve().parents[2]


def _ask(url: str, picture: bytes = b"pic", **headers: str) -> dict[str, object]:
    import base64

    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(picture).decode()}}
    content = [image, {"type": "text", "text": "read"}]
    body = {"model": MODEL, "messages": [{"role": "user", "content": content}]}
    request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return dict(json.load(response))


def test_in_a_thread_it_answers_by_picture_and_wants_its_key() -> None:
    with running(StubSettings(api_key="k")) as stub:
        stub.answer = lambda picture, text: f"{picture.decode()} {text}"
        answer = _ask(stub.url, b"pic 1", Authorization="Bearer k")
        assert answer["choices"][0]["message"]["content"] == "pic 1 read"  # type: ignore[index]
        with pytest.raises(urllib.error.HTTPError) as refused:
            _ask(stub.url)
        assert refused.value.code == 401
        assert urllib.request.urlopen(f"{stub.url}/health").status == 200


def test_as_a_process_it_says_where_it_is() -> None:
    command = [sys.executable, "-m", "tests.model_stub", "--latency", "0.01", "--length", "1.0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert _ask(url)["choices"][0]["finish_reason"] == "length"  # type: ignore[index]
            metrics = urllib.request.urlopen(f"{url}/metrics").read().decode()
            assert "vllm:num_requests_running{" in metrics
        finally:
            process.terminate()

"""The real vLLM engine on this machine's processor, with a tiny checkpoint that is taught here.

`make test-vllm` runs these in an environment of their own; where vLLM is not installed there is nothing to collect.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from hunyuan_ocr.engines.spec import Family, ModelSpec

if find_spec("vllm") is None:
    collect_ignore_glob = ["test_*.py"]

# Set before torch or vLLM is imported, and inherited by their processes. One thread: two that wait for each other at
# every small step lose more than they gain as soon as anybody else uses the machine.
os.environ |= {
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

REPOSITORY = Path(__file__).parents[2]
_SECONDS = 1200
WRONG_TRANSFORMERS = "5.19.0"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Teaching the checkpoint counts towards the first test; starting vLLM towards many."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(_SECONDS))


@pytest.fixture(scope="session")
def checkpoint() -> Path:
    """The folder of the trained checkpoint; made once (a few minutes) and kept in the environment."""
    from tests.vllm.tiny.checkpoint import tiny_checkpoint

    return tiny_checkpoint()


@pytest.fixture(scope="session")
def spec(checkpoint: Path) -> ModelSpec:
    return ModelSpec(model=str(checkpoint), revision="", family=Family.V1_5)


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all tests: an engine lives in the loop it was started in."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def old_transformers() -> Path:
    """A folder with the transformers that vLLM 0.32.0 itself asks for, to be put before the environment's own."""
    from tests.vllm.serving import transformers_at

    return transformers_at(WRONG_TRANSFORMERS, Path(sys.prefix) / f"transformers-{WRONG_TRANSFORMERS}")

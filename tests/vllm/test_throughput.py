"""What batching is worth, measured in one run on this machine."""

from __future__ import annotations

from pathlib import Path

from tests.vllm.throughput import measure


def test_a_batch_of_vllm_beats_transformers_one_by_one(checkpoint: Path) -> None:
    throughput = measure(checkpoint)
    print(f"\n{throughput}")
    assert throughput.gain_over_transformers >= 2.3
    assert throughput.gain_of_batching > 1

"""Every layout and every planted fault of the project's own samples ends where it should, for the planted reason."""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path

from demo.samples import generate
from demo.summary import unexpected_outcomes
from tests.integration.intake_steps import DAY, run_of, run_steps


def test_good_samples_are_staged_and_faulty_ones_rejected_for_their_fault(tmp_path: Path) -> None:
    samples = generate(tmp_path / "samples", seed=21, issued_before=date(2026, 3, 1), forms=("pdf",))
    home = tmp_path / "home"
    (home / "inbox").mkdir(parents=True)
    for number, sample in enumerate(samples):
        copy = home / "inbox" / sample.file
        shutil.copyfile(sample.path, copy)
        arrived = DAY.start.timestamp() + 60 * number
        os.utime(copy, (arrived, arrived))
    run_steps(home, run_of())
    assert len(samples) > 30
    assert unexpected_outcomes(home, samples) == []

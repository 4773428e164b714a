"""Importing the parsers is cheap, and pulls in nothing heavy: a DAG file may import them."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, time
import pydantic
import hunyuan_ocr.model.invoice
start = time.process_time()
from hunyuan_ocr.model.parsing import cn_amount, currencies, dates, money, tax_ids, text
print(time.process_time() - start)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_importing_all_parsers_is_fast_and_light() -> None:
    outputs = [
        subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    ]
    assert min(float(output.splitlines()[0]) for output in outputs) < 0.3
    imported = set(outputs[0].splitlines()[1].split())
    assert not imported & {"airflow", "pandas", "numpy", "babel", "dateparser", "torch", "great_expectations"}

"""The project's own invoices: invented parties, valid checksums, known truth, the same bytes for the same seed.

``generate`` makes a labelled set in the format of the evaluation manifest; ``demo_set`` the curated one of the demo.
Command line: ``python -m demo.samples OUT --seed 7 --per-layout 3``.
"""

from demo.samples.recipes import FORMS, LAYOUTS, Sample
from demo.samples.sets import demo_set, generate, write_manifest

__all__ = ["FORMS", "LAYOUTS", "Sample", "demo_set", "generate", "write_manifest"]

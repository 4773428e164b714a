"""What the pipeline costs and how far it is from ideal, measured against a baseline in the same run.

``python -m benchmarks --list`` names them. Not a measure of reading: no model runs here, but for the tiny one of
``vllm``.
"""

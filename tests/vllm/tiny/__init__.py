"""A model of HunyuanOCR's architecture that is small enough to train in a test: it knows a few pages by heart.

It proves the way from pixels to staging rows through the real engine. It proves nothing about how well HunyuanOCR
reads: shown a page it was not taught, it recites one of those it was.
"""

"""Parsers of what is printed: money, dates, currencies, tax ids, Chinese capital amounts. No I/O, no guesses.

What can be read in two ways stays ambiguous, and what is not one of ours is ``None``: none of these raises on
arbitrary text, and none of them ever makes up a value.
"""

"""Scoring: what the readers and the extraction get right on documents whose truth is known."""

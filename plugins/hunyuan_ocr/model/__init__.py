"""The nouns: invoice, spans, readings, candidates, findings; and parsers of what is printed. No I/O."""

"""From readings to one invoice: labels and geometry, line items, totals, parties, and the choice among candidates."""

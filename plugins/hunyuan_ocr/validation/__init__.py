"""Is this invoice right: field rules, one Great Expectations run over a batch, and the verdict on each invoice."""

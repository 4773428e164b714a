"""What people are told: one message per run that rejected something."""

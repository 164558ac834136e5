"""What eau2 is held to: `python -m tests.check` runs everything."""

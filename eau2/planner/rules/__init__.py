"""The optimiser: one pure rule a file."""

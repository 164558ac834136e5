"""Functions that users write in Python: what they compute, and what they must not do."""

"""Functions written in Python: parsed, checked, and compiled into expressions. Nothing is run."""

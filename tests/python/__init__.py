"""Functions in Python: random programs, against CPython running them row by row."""

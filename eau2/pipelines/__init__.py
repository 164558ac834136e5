"""Pipelines: operations on frames by methods in Python, which become the text of one query.

`calls.py` writes what a program computes with, a function or an expression of SQL, `queries.py`
the queries around it; both are pure. `pipeline.py` is what programs hold, `rounds.py` repeats a
part of one, and `workplace.py` says what a connection keeps for them.
"""

"""The shell's rooms: the prompt and what is typed, and the interpreter that runs it.

The prompt must be there before the engine is. So session.py and what it uses load no part of the
engine; interpreter.py and what it uses do, while the prompt waits.
"""

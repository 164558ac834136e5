"""Planted bugs, put into the running engine, and the proof that the fuzzer finds each."""

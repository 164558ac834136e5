"""Tests of single rooms, and of the rules that the sources and documents keep."""

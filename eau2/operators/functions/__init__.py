"""Scalar functions by family."""

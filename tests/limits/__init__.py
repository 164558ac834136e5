"""Statements of extreme size and shape."""

"""Ordinary Python functions, checked and compiled into bound expressions."""

"""Logical plans to stages, tasks and instructions: pure, no I/O."""

"""Measurements: compared side by side in one run, never asserted on."""

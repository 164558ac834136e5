"""Where fragments run."""

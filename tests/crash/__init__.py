"""Writers killed with SIGKILL, and what they leave behind."""

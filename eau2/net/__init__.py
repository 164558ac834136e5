"""The wire. Empty until nodes exist."""

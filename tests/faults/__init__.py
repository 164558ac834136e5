"""Nodes on disks that fail, fill up and forget, and files in which bits have flipped."""

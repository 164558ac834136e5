"""Nodes as processes that are killed, stopped, cut off and emptied while others write."""

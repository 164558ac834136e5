"""Nodes that talk over TCP: in this process, and as processes of their own."""

"""Indexes: the rows of a chunk in the order of a column, kept where the chunk is read."""

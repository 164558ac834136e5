"""TPC-H: its data, its 22 queries, and their answers compared with DuckDB."""

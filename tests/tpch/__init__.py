"""TPC-H: its data, eight of its queries, and their answers compared with DuckDB."""

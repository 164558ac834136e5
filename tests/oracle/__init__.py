"""Random queries over random tables, answered by eau2 and by DuckDB, and compared."""

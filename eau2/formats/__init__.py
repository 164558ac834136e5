"""One module a family of output formats: Arrow tables to text and bytes, piece by piece."""

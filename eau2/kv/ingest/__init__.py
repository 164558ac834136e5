"""One reader a format: files to batches of rows."""

from eau2.kv.ingest.source import format_of, from_arrow, open_files

__all__ = ["format_of", "from_arrow", "open_files"]

"""One reader a format: files to batches of rows."""

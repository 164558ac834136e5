"""Laws: what must hold for every table, chunking and plan."""

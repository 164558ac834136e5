"""sqllogictest files by feature, and what runs and rewrites them."""

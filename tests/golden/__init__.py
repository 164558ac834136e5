"""Golden scripts: SQL in; ast, plans, rules, stages and results out, kept as text."""

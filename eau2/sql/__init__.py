"""The language: text to ast, ast to logical plan."""

"""What travels: bound expressions and relational operators, plain data that lowers onto Polars."""

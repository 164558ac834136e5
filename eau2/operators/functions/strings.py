"""Mathematical functions."""
FUNCTIONS = ()

"""The tests of eau2, and what they compare it with."""

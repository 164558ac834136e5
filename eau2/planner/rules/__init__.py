"""The optimiser's rules, one pure function a file, each named by what it does."""

"""The data that checks are tried on, and comparisons of results."""

"""Selecting and running checks, and reporting the results."""

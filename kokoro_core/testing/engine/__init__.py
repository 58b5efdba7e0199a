"""Trying checks: which, how often, and what is reported."""

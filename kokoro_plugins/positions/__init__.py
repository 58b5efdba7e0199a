"""Positional encodings: a learned table, rotary, linear biases, and none."""

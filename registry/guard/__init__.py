"""Guarded loading of plugins: what they may do, change and claim."""

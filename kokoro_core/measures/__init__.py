"""Measures and pictures of speech that need neither a model nor a plugin."""

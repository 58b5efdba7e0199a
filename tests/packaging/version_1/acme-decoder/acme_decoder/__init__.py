"""A decoder for Kokoro."""

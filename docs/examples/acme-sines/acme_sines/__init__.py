"""A vocoder of sines for Kokoro."""

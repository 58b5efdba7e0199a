"""Autoregressive decoders driven step by step."""

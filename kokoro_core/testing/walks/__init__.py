"""Decoders that are led step by step."""

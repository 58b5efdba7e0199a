"""A recurrent encoder for Kokoro."""

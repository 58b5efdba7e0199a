"""An encoder for Kokoro."""

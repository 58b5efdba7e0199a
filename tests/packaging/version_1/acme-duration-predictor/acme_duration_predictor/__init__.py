"""A duration predictor for Kokoro."""

"""Training against discriminators."""

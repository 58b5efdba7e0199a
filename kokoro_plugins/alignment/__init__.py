"""Aligners: which frames belong to which phoneme, found in training."""

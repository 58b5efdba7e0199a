"""Conditioners: one vector an utterance."""

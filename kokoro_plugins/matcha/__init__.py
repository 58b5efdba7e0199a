"""Matcha-TTS: a text encoder with a prior, and a decoder by conditional flow matching."""

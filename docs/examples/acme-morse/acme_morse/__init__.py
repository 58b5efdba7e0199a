"""Sentences in Morse code, as a corpus for Kokoro."""

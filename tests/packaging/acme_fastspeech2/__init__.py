"""FastSpeech2Conformer, as somebody else would publish it."""

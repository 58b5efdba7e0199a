"""Natural English speech by hibari-tts: a corpus of it, and its own phonemes as a frontend."""

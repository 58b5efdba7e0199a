"""Speech: audio to mel and back, text to phonemes, and aligned corpora."""

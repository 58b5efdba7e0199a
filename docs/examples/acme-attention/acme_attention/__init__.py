"""An aligner for Kokoro that learns by attention."""

"""Training of a vocoder: crops of recordings, losses of waves, and the file that comes of it."""

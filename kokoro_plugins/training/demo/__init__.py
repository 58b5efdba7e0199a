"""From nothing to speech that keeps what is promised of it."""

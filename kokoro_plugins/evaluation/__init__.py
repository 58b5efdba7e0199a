"""How well a voice is understood and how it sounds: the command `evaluate`."""

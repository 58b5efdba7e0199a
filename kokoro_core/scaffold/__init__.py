"""Writes the first files of a plugin, and a spec with every default."""

"""Corpora that do not fit into memory: tar files and an index that is mapped."""

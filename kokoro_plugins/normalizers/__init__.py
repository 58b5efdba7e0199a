"""Normalizers: text in, the words that are read out."""

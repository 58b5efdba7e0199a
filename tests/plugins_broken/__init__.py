"""Plugins that are broken in every way that we know, installed as real distributions."""

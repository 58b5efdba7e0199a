"""Plugins are loaded in a guard each: what they may do, change and claim."""

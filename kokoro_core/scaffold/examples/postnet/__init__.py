"""The example in the slot `postnet`."""

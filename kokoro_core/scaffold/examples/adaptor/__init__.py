"""The example in the slot `adaptor`."""

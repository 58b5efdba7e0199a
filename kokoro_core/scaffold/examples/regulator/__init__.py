"""The example in the slot `regulator`."""

"""The example in the slot `corpus`."""

"""The example in the slot `optimizer`."""

"""The example in the slot `objective`."""

"""The example in the slot `encoder`."""

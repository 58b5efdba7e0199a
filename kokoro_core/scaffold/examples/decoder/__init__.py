"""The example in the slot `decoder`."""

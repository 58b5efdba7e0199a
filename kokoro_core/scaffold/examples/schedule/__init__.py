"""The example in the slot `schedule`."""

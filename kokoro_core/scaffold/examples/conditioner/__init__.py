"""The example in the slot `conditioner`."""

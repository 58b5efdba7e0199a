"""The example in the slot `normalizer`."""

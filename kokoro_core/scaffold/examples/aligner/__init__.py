"""The example in the slot `aligner`."""

"""The example in the slot `vocoder` that has weights."""

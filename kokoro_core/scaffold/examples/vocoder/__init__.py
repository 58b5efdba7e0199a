"""The example in the slot `vocoder`."""

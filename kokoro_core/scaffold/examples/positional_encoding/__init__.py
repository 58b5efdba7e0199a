"""The example in the slot `positional_encoding`."""

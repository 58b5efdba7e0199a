"""The example in the slot `checkpointer`."""

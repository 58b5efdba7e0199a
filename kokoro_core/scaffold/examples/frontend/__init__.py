"""The example in the slot `frontend`."""

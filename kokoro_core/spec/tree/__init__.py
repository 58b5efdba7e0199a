"""A spec that was read: its model, the way through it, and back to plain values."""

"""The text of a spec: read with positions, changed with its comments kept."""

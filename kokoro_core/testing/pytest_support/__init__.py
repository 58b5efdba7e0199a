"""The door of pytest to the checks."""

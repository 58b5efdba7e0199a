"""The spec side: from the text of a file to a checked `ModelSpec`. Imports no torch."""

"""From a model to a file and back: found, checked, adapted, shared."""

"""One small component for each slot, which `new-plugin` copies; checked like all other code."""

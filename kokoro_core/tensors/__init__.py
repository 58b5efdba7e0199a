"""The ground that everything with tensors stands on: masks, durations, noise."""

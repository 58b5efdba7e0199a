"""The foundation of everything that uses tensors: masks, durations, noise."""

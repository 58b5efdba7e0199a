"""The example in the slot `profiler`."""

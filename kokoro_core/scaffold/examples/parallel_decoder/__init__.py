"""The example in the slot `parallel_decoder`."""

"""The example in the slot `duration_predictor`."""

"""Training with Lightning: the commands `train` and `demo`."""

"""A trained model as graphs of tensors alone, which `torch.export` and its followers take."""

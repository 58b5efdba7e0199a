"""What a model costs: parameters, multiply-adds, memory of a training step."""

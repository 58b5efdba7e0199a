"""What moves the weights: optimizers, and the courses of their rates."""

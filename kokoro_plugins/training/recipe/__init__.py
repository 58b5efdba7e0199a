"""What makes a training, as a recipe says it."""

"""What a training comes to, for TensorBoard and for files: figures, sounds and pictures."""

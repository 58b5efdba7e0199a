"""What is wrong with a spec, and where."""

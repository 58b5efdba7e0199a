"""What is measured, a file a case."""

"""What checks are tried on, and how results are compared."""

"""Several specs trained with one budget, side by side."""

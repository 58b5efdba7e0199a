"""What the author of a component writes first: its settings, and what they say of it. No torch."""

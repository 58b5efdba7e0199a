"""Public building blocks that components of any plugin may use."""

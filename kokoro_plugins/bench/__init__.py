"""How fast the framework is, beside its peers and the speed of memory."""

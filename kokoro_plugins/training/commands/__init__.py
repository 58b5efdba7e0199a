"""The commands `train`, `demo` and `compare`."""

"""Where time and memory go: a profiler that attaches to a model from outside."""

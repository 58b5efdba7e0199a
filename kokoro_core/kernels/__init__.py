"""How the mathematics of `kokoro_core.nn` is computed fast on the processor at hand."""

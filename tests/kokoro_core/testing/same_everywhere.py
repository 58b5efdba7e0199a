"""Checks of the kit that no processor and no kernel can change; CI's numerics leave them out."""

from __future__ import annotations

COMPUTE_NOTHING = ("registered", "params-without-torch", "params-round-trip", "size", "golden-keys")
"""They build a component or read its settings."""

TRACE_MODELS = ("export-in-models", "export-model")
"""They trace whole models, by the formulas wherever they run, so that the graphs are the same. What
a component computes is held against a graph by `export-any-length`, and what models speak by the
tests of generation, which the numerics run."""

CHECKS = (*COMPUTE_NOTHING, *TRACE_MODELS)

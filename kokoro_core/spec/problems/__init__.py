"""What is wrong with a spec, and where."""

from kokoro_core.spec.problems.problem import Position, Problem, SpecError

__all__ = ["Position", "Problem", "SpecError"]

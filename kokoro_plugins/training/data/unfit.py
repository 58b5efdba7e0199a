"""`UnfitCorpus`: a corpus lacks what the parts of a spec learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from kokoro_core import ModelSpec
from kokoro_core.errors import CorpusError
from kokoro_core.spec.problems.violation import RuleViolation


@final
class UnfitCorpus(CorpusError):
    """A corpus lacks what parts of a spec learn from; the message has a line for each.

    Attributes:
        spec: The spec.
        violations: What is missing, each at the part that learns from it.
    """

    def __init__(self, spec: ModelSpec, violations: Sequence[RuleViolation]) -> None:
        super().__init__("\n".join(each.message for each in violations))
        self.spec = spec
        self.violations = tuple(violations)

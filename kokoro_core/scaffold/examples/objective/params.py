"""The settings of the component: what a recipe may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import ObjectiveParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Objective


class ExampleParams(ObjectiveParams):
    """The model's own loss, and that its mel changes from frame to frame as the true one does.

    Attributes:
        weight: Of the changes.
    """

    type: Literal["example"] = "example"
    weight: float = Field(default=0.5, ge=0)

    @property
    def needs(self) -> frozenset[str]:
        """It reads the mel."""
        return frozenset({"mel"})

    def build(self, sizes: Sizes) -> Objective:
        """Return the objective."""
        from kokoro_core.scaffold.examples.objective.objective import ExampleObjective

        return ExampleObjective(weight=self.weight)

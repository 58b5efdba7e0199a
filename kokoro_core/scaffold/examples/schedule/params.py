"""The settings of the component: what a recipe may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from kokoro_core.slots import ScheduleParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Schedule


class ExampleParams(ScheduleParams):
    """Up in a line, level, and down in a line to 0 at the end of the training.

    Attributes:
        warmup_steps: Steps until the peak.
        last: The share of the training in which the rate goes down.
    """

    to_the_end: ClassVar[bool] = True

    type: Literal["example"] = "example"
    warmup_steps: int = Field(default=100, ge=0)
    last: float = Field(default=0.2, gt=0, le=1)

    def build(self) -> Schedule:
        """Return the schedule."""
        from kokoro_core.scaffold.examples.schedule.schedule import ExampleSchedule

        return ExampleSchedule(warmup_steps=self.warmup_steps, last=self.last)

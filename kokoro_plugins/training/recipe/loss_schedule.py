"""Losses that come in gradually: a factor from 0 to 1 for a loss by its name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pydantic import Field

from kokoro_core import ModelSpec
from kokoro_core.params.component import StrictModel
from kokoro_core.spec.rules.own_losses import loss_terms
from registry.text import suggestion

COARSE = {"mel_l1": "mel_l1_coarse", "mel_mse": "mel_mse_coarse"}
"""What a schedule of the mel's losses says of those of the coarse mel too."""


class Ramp(StrictModel):
    """When a loss comes in, and over how many steps its factor rises from 0 to 1.

    Attributes:
        from_step: Up to this step, counted from 1, its factor is 0.
        over_steps: Its factor is 1 so many steps later; 0: at once.
    """

    from_step: int = Field(default=0, ge=0)
    over_steps: int = Field(default=0, ge=0)

    def factor(self, done: int) -> float:
        """Return the factor in the step that follows so many steps."""
        since = done + 1 - self.from_step
        if since <= 0:
            return 0.0
        return min(1.0, since / self.over_steps) if self.over_steps else 1.0


def factors(schedule: Mapping[str, Ramp], done: int) -> dict[str, float]:
    """Return the factor of each scheduled loss in the step that follows so many steps."""
    found = {name: ramp.factor(done) for name, ramp in schedule.items()}
    return found | {COARSE[name]: each for name, each in found.items() if name in COARSE}


def unknown_losses(spec: ModelSpec, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each name that no loss of a model has, and what is wrong with it."""
    known = list(loss_terms(spec))
    for name in names:
        if name not in known:
            hint = suggestion(name, known, "`") or f"; it has {', '.join(known)}"
            yield name, f"`{spec.name}` has no loss `{name}`{hint}"


def refuse_unknown_losses(spec: ModelSpec, schedule: Mapping[str, Ramp]) -> None:
    """Refuse a schedule of a loss that a model does not have.

    Raises:
        ValueError: It names one; the message names the losses that there are, or the one meant.
    """
    for name, what in unknown_losses(spec, schedule):
        raise ValueError(f"The loss schedule names `{name}`, but {what}.")

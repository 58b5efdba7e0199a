"""What an export wrote, and how far it is from its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from kokoro_core.errors import ExportError

MOST_OFF = 1e-3
"""The largest difference of float32 from float32, as a share of the largest number or of 1."""


@dataclass(frozen=True)
class Difference:
    """How far an export is from its checkpoint for one utterance.

    Attributes:
        of: The utterance.
        phonemes: How many it has.
        frames: How many frames the export made; None: it made samples without a plan.
        largest: The largest difference of a number of the mel or of the samples.
        scale: The largest number of the checkpoint's.
        durations_off: For how many phonemes the durations differ.
    """

    of: str
    phonemes: int
    frames: int | None
    largest: float
    scale: float
    durations_off: int = 0


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        kind: ``torch``, ``onnx`` or ``sherpa``.
        files: All files, the first of which is loaded.
        differences: From the checkpoint, for each utterance that both spoke.
        facts: What else there is to say, by name.
    """

    kind: str
    files: tuple[Path, ...]
    differences: tuple[Difference, ...]
    facts: Mapping[str, Any]

    @property
    def largest(self) -> float:
        """The largest difference of all utterances."""
        return max(each.largest for each in self.differences)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "kind": self.kind,
            "files": [str(each) for each in self.files],
            "largest_difference": self.largest,
            "differences": [vars(each) for each in self.differences],
            **self.facts,
        }


def difference(
    of: str, phonemes: int, made: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> Difference:
    """Return how far what an export made is from what its checkpoint makes.

    Raises:
        ExportError: The export made another number of frames or other values than there can be.
    """
    name = "samples" if "samples" in expected else "mel"
    got, wanted = made[name].double(), expected[name].double()
    if got.shape != wanted.shape or not bool(got.isfinite().all()):
        raise ExportError(
            f"The export says something else than its checkpoint for {of}: `{name}` of shape "
            f"{tuple(got.shape)}, not {tuple(wanted.shape)}, or not finite."
        )
    off, frames = 0, got.shape[1] if name == "mel" else None
    if "durations" in expected and "durations" in made:
        off = int((made["durations"] != expected["durations"]).sum())
        frames = int(made["durations"].sum())
    return Difference(
        of=of,
        phonemes=phonemes,
        frames=frames,
        largest=float((got - wanted).abs().max()),
        scale=float(wanted.abs().max()),
        durations_off=off,
    )


def refuse_far(differences: tuple[Difference, ...]) -> None:
    """Refuse an export in float32 that is not its checkpoint.

    Raises:
        ExportError: A difference is too large for rounding alone.
    """
    for each in differences:
        if each.durations_off or not each.largest <= MOST_OFF * max(1.0, each.scale):
            raise ExportError(
                f"The export differs from its checkpoint for {each.of} by {each.largest:.3g} (at "
                f"most {MOST_OFF:g} of {each.scale:.3g} may be rounding), and in the durations of "
                f"{each.durations_off} phonemes; nothing was written."
            )

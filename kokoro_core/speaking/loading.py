"""Load a checkpoint to speak with it, whatever precision it is stored in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kokoro_core.api import KokoroModel
    from registry import Plugins


def load_to_speak(
    path: Path, *, device: str = "cpu", plugins: Plugins | None = None
) -> KokoroModel:
    """Return the model of a checkpoint, on a CPU with 16-bit weights widened to float32.

    Few processors calculate in 16 bits, and on the others that is several times slower than
    float32; so the type halves the file, and the sound is that of the rounded weights.

    Args:
        path: As of `KokoroModel.load`.
        device: Where the model goes.
        plugins: Where components come from; None: the installed plugins.

    Raises:
        CheckpointError: The file is missing, damaged or not a checkpoint.
        SpecError: The spec inside needs components that are not installed.
        ValueError: The device is invalid or not available.
    """
    from kokoro_core.api import KokoroModel

    return KokoroModel.load(path, device=device, plugins=plugins, widen=device == "cpu")

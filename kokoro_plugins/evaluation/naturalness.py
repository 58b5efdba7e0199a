"""How natural speech sounds: Distill-MOS, which predicts what listeners would say."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
from collections.abc import Iterator
from importlib.metadata import version
from types import ModuleType
from typing import Protocol, final

from kokoro_plugins.evaluation.sound import Samples, resampled

RATE = 16_000

INSTALL = (
    "python -m pip install --no-deps xls-r-sqa==0.1.0",
    "python -m pip install --no-deps distillmos==0.9.1",
)
"""Its own requirements have torchaudio, which only its command line uses."""


class Rater(Protocol):
    """Gives speech a mark.

    Attributes:
        identity: What its marks depend on beside the samples, in words.
    """

    identity: str

    def rate(self, samples: Samples, sample_rate: int) -> float:
        """Return the mark of samples (S,), from 1 to 5."""


@final
class DistillMos:
    """Distill-MOS (Stahl and Gamper, 2025): 1 is bad, 5 is excellent.

    Raises:
        ModuleNotFoundError: distillmos is not installed.
    """

    def __init__(self) -> None:
        if not is_installed():
            raise ModuleNotFoundError(
                f"Distill-MOS is not installed; `{'` and `'.join(INSTALL)}` bring it.",
                name="distillmos",
            )
        with _without_torchaudio(), contextlib.redirect_stdout(io.StringIO()):
            from distillmos import ConvTransformerSQAModel

            self._model = ConvTransformerSQAModel().eval()
        self.identity = f"distillmos {version('distillmos')}, xls-r-sqa {version('xls-r-sqa')}"

    def rate(self, samples: Samples, sample_rate: int) -> float:
        """Return the mark of samples (S,), from 1 to 5."""
        import torch

        wave = torch.from_numpy(resampled(samples, sample_rate, RATE)).unsqueeze(0)
        with torch.no_grad():
            return float(self._model(wave))


def is_installed() -> bool:
    """Return whether Distill-MOS can be used."""
    return all(importlib.util.find_spec(name) for name in ("distillmos", "xls_r_sqa"))


@contextlib.contextmanager
def _without_torchaudio() -> Iterator[None]:
    """Let ``import torchaudio`` succeed where it is not installed: only a command line calls it."""
    if importlib.util.find_spec("torchaudio"):
        yield
        return
    sys.modules["torchaudio"] = ModuleType("torchaudio")
    try:
        yield
    finally:
        del sys.modules["torchaudio"]

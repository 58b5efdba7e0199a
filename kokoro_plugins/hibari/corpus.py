"""The corpus `hibari`: a folder of the voice's recordings, with its own pitch as features."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kokoro_core.contracts import Corpus, Utterance
from kokoro_core.errors import CorpusError
from kokoro_plugins.hibari.recipe import PITCH

OWN = ("pitch", "voiced")
"""The features that come from the voice instead of being measured."""

LOWEST = 80.0
"""Hz from which on it is a pitch: below, the curve rises from 0 or falls to it within frames."""


@final
class HibariCorpus(Corpus):
    """Utterances of a folder, with the pitch that a voice that tells it was made to speak with.

    Args:
        path: The folder.
        folder: The utterances in it, as any reader of such folders gives them.
        told: The names of those whose voice tells its pitch.

    Raises:
        CorpusError: The file of their pitch cannot be read, or is not of all of them.
    """

    def __init__(self, *, path: Path, folder: Corpus, told: Collection[str]) -> None:
        self._folder = folder
        self._hertz = read_pitch(path / PITCH, told)
        self.held_out = folder.held_out

    def __len__(self) -> int:
        return len(self._folder)

    def __getitem__(self, index: int) -> Utterance:
        utterance = self._folder[index]
        hertz = self._hertz.get(utterance.name)
        if hertz is None:
            return utterance
        return replace(utterance, features=TrueFeatures(utterance.features, hertz))

    def durations_of(self, index: int) -> Tensor | None:
        """Return the durations of one utterance without making its mel, (N,) int64."""
        return self._folder.durations_of(index)


def read_pitch(path: Path, told: Collection[str]) -> dict[str, NDArray[np.float32]]:
    """Return the pitch of utterances, (T,) Hz, by their names.

    Raises:
        CorpusError: The file cannot be read, or is not of all that it should tell of.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    anew = "delete the folder of the corpus, so that it is made anew."
    try:
        found: dict[str, NDArray[np.float32]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CorpusError(f"`{path}` cannot be read: {error}; {anew}") from error
    lacking = [name for name in told if name not in found]
    if lacking:
        raise CorpusError(
            f"`{path}` lacks the pitch of {len(lacking)} of {len(told)} utterances, such as "
            f"`{lacking[0]}`; {anew}"
        )
    return found


@final
class TrueFeatures(Mapping[str, Any]):
    """Features of an utterance with the voice's own pitch.

    Args:
        others: What is known beside it.
        hertz: (T,), in the middle of each frame.
    """

    def __init__(self, others: Mapping[str, Any], hertz: NDArray[np.float32]) -> None:
        self._others = others
        self._hertz = hertz

    def __getitem__(self, name: str) -> Any:
        if name not in OWN:
            return self._others[name]
        pitch, voiced = log_pitch(self._hertz)
        return torch.from_numpy(pitch if name == "pitch" else voiced)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*OWN, *self._others)))

    def __len__(self) -> int:
        return len(list(iter(self)))


def log_pitch(hertz: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the natural log of the pitch, interpolated where nobody speaks, and where a voice is.

    Shape:
        hertz: (T,). Returns: (T,) and (T,) of 0 and 1.
    """
    voiced = hertz > LOWEST
    steps = np.arange(len(hertz))
    pitch = np.interp(steps, steps[voiced], np.log(hertz[voiced].astype(np.float64)))
    return pitch.astype(np.float32), voiced.astype(np.float32)

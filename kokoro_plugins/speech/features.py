"""Pitch, energy and samples of recordings by mel frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kokoro_core.errors import CorpusError
from kokoro_core.nn.mel import MelSpectrogram, hops_of, paddings
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.recordings import read_samples
from kokoro_plugins.speech.saved_features import read_features

NAMES = ("energy", "pitch", "voiced", "wave")

LOWEST, HIGHEST = 50.0, 600.0
"""Hz between which a voice is looked for."""


@final
class RecordingFeatures(Mapping[str, Any]):
    """Features of a recording by name, made when they are asked for and kept from then on.

    What was written beside the recording is read instead.

    Args:
        path: The recording.
        mel: Says where its frames lie.
        known: Features that somebody wrote down, such as the speaker.
        kept: Where made ones are kept.
    """

    def __init__(
        self,
        path: Path,
        mel: MelSpectrogram,
        known: Mapping[str, Any],
        kept: dict[str, Tensor],
    ) -> None:
        self._path = path
        self._mel = mel
        self._known = known
        self._kept = kept

    def __getitem__(self, name: str) -> Any:
        if name in self._known:
            return self._known[name]
        if name not in NAMES:
            raise KeyError(name)
        if name == "wave":  # as large as the recording, so that it is not kept
            samples = read_samples(self._path)
            return framed(samples, self._mel.audio, self._mel.num_frames(len(samples)))
        if not self._kept:
            self._kept |= read_features(self._path, self._mel.audio)
        if name not in self._kept:
            self._kept |= self._made(name)
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*NAMES, *self._known))

    def __len__(self) -> int:
        return len(NAMES) + len(self._known)

    def _made(self, name: str) -> dict[str, Tensor]:
        samples = read_samples(self._path)
        if name == "energy":
            return {"energy": self._mel.energy(torch.from_numpy(samples))}
        pitch, voiced = pitch_of(samples, self._mel.audio, self._mel.num_frames(len(samples)))
        if pitch is None:
            raise CorpusError(
                f"`{self._path.stem}` has a recording without a voiced frame, wavs/"
                f"{self._path.name}, so it has no pitch; leave it out, or train without pitch."
            )
        return {"pitch": torch.from_numpy(pitch).float(), "voiced": torch.from_numpy(voiced)}


def framed(samples: NDArray[np.float32], audio: AudioSettings, frames: int) -> Tensor:
    """Return the samples of each frame, as a vocoder makes them: frame t has the t-th hop.

    Shape:
        samples: (S,). Returns: (T, hop_length), 0 behind the last sample.
    """
    return hops_of(torch.from_numpy(samples), audio.hop_length, frames)


def pitch_of(
    samples: NDArray[np.float32], audio: AudioSettings, frames: int
) -> tuple[NDArray[np.float64] | None, NDArray[np.float32]]:
    """Return the natural log of the pitch in Hz at the middle of each frame, and where a voice is.

    Where there is none the logarithm is interpolated, at the ends it goes on as it is (WORLD's DIO
    and StoneMask, Morise et al., 2009). None: there is no voice at all.

    Shape:
        samples: (S,). Returns: (T,) and (T,) of 0 and 1.
    """
    import pyworld

    wide = samples.astype(np.float64)
    coarse, seconds = pyworld.dio(wide, audio.sample_rate, f0_floor=LOWEST, f0_ceil=HIGHEST)
    hertz = pyworld.stonemask(wide, coarse, seconds, audio.sample_rate)
    middles = middles_of(audio, frames)
    # The nearest analysis of each frame: between two of them a voice may begin.
    nearest = np.abs(seconds[None] - middles[:, None]).argmin(1)
    voiced = hertz > 0
    at_frames = voiced[nearest].astype(np.float32)
    if not voiced.any():
        return None, at_frames
    return np.interp(middles, seconds[voiced], np.log(hertz[voiced])), at_frames


def middles_of(audio: AudioSettings, frames: int) -> NDArray[np.float64]:
    """Return the second in the middle of each mel frame's window."""
    first = audio.n_fft / 2 - paddings(audio)[0]
    return (first + audio.hop_length * np.arange(frames)) / audio.sample_rate

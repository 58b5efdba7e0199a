"""The voice of hibari-tts: samples with the true duration of each phoneme and the true pitch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from kokoro_plugins.hibari import package
from kokoro_plugins.hibari.network import open_network
from kokoro_plugins.hibari.symbols import BREAK, END, START

SAMPLE_RATE, HOP = 24_000, 300
FRAMES_PER_UNIT = 2
"""The network counts durations in 25 ms, two of its frames."""

_DURATIONS = "/Clip_output_0"
_SPECTRUM = ("lh", "theta", "ln", "lr", "phi", "f0")


@dataclass(frozen=True)
class Spoken:
    """What the voice makes of symbols.

    Attributes:
        samples: (T * 300,) float32 at 24,000 a second.
        frames: Of each symbol; their sum is T.
        hertz: (T,) float32, the pitch in the middle of each frame, below 40 where the voice makes
            no pulses; None: the voice does not tell.
    """

    samples: NDArray[np.float32]
    frames: tuple[int, ...]
    hertz: NDArray[np.float32] | None


class Voice(Protocol):
    """What speaks the symbols of the frontend `hibari`."""

    def speak(self, symbols: Sequence[str], seed: int) -> Spoken:
        """Return the recording of symbols, with noise of that seed if it can be chosen."""
        ...


@final
class HibariVoice:
    """Speaks the symbols of the frontend `hibari` on one thread.

    The same symbols and seed give the same samples on the same processor. All durations are even.

    Raises:
        ValueError: hibari-tts, onnx or onnxruntime is not installed.
    """

    def __init__(self) -> None:
        self._network = open_network(package.voice_file(), _DURATIONS)
        indices = package.indices_by_character()
        self._index_of = indices | {BREAK: indices[" "], START: 0, END: 0}

    def speak(self, symbols: Sequence[str], seed: int) -> Spoken:
        """Return the recording of symbols.

        Args:
            symbols: As the frontend gives them, from `^` to `$`.
            seed: Of the noise in the voice.
        """
        # (N,) -> (1, N)
        ids = np.array([[self._index_of[each] for each in symbols]], np.int64)
        speed = np.ones(1, np.float32)
        outputs = self._network.run([*_SPECTRUM, _DURATIONS], {"ids": ids, "speed": speed})
        *spectrum, units = outputs
        # (1, F, T) -> (F, T), (1, T) -> (T,)
        parts = tuple(each[0] for each in spectrum)
        samples = package.vocode(parts, np.random.default_rng(seed))
        frames = (units * FRAMES_PER_UNIT).astype(np.int64)
        return Spoken(samples, tuple(frames.tolist()), parts[-1])

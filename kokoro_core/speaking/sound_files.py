"""Files of sound, by their suffix, and samples as bytes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

FORMATS: dict[str, tuple[str, str] | None] = {
    ".wav": None,
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
"""What soundfile calls the format of each suffix; None: it is not needed."""

_BLOCK = 65_536
"""Samples written at once: libsndfile's encoder of Vorbis overflows its stack with many."""


def write_sound(path: Path, samples: Tensor, sample_rate: int) -> None:
    """Write samples in [-1, 1] as a mono file in the format of its suffix.

    Raises:
        ValueError: The suffix is of no format.
        ModuleNotFoundError: It is not ``.wav``, and soundfile is not installed.
    """
    check_suffix(path)
    form = FORMATS[path.suffix.lower()]
    if form is None:
        write_wav(path, samples, sample_rate)
        return
    import soundfile

    with soundfile.SoundFile(path, "w", sample_rate, 1, form[1], format=form[0]) as file:
        for start in range(0, len(samples), _BLOCK):
            file.write(samples[start : start + _BLOCK].clamp(-1, 1).numpy())


def check_suffix(path: Path) -> None:
    """Refuse a file whose suffix is of no format that can be written.

    Raises:
        ValueError: It is not.
        ModuleNotFoundError: soundfile would be needed and is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"`{path}` must end in one of {', '.join(FORMATS)}.")
    if FORMATS[path.suffix.lower()] is not None:
        import soundfile  # noqa: F401


def write_wav(path: Path, samples: Tensor, sample_rate: int) -> None:
    """Write samples in [-1, 1] as a mono 16-bit wav."""
    path.write_bytes(wav_bytes(samples, sample_rate))


def wav_bytes(samples: Tensor, sample_rate: int) -> bytes:
    """Return samples in [-1, 1] as a mono 16-bit wav."""
    import wave

    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(as_16_bit(samples))
    return target.getvalue()


def as_16_bit(samples: Tensor) -> bytes:
    """Return samples in [-1, 1] as 16-bit numbers, the low byte first."""
    import torch

    whole = torch.round(samples.clamp(-1, 1) * 32767).to(torch.int16)
    return whole.numpy().astype("<i2").tobytes()

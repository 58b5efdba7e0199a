"""Samples → bytes of a format, as they come or all at once."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, final

from kokoro_core.speaking.sound_files import as_16_bit

if TYPE_CHECKING:
    from torch import Tensor

MEDIA_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg; codecs=opus",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
"""The content type of each format."""

FIXED_RATE = 24_000
"""Samples per second of ``pcm``, whose clients cannot know otherwise, and of ``opus``."""

FIXED = frozenset({"pcm", "opus"})

_LIBRARY = {
    "flac": ("FLAC", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "opus": ("OGG", "OPUS"),
}
"""What soundfile calls the formats that it writes."""

_BLOCK = 65_536
"""Samples handed to libsndfile at once."""

_UNKNOWN = 0xFFFFFFFF
"""The lengths in the head of a wav whose end is not known."""


class Encoder(Protocol):
    """Turns samples into the bytes of one sound."""

    def add(self, samples: Tensor) -> bytes:
        """Return what can be sent after more samples in [-1, 1], (S,)."""

    def end(self) -> bytes:
        """Return the rest."""

    def close(self) -> None:
        """Let go of what is held; of a sound that is cut off there is no rest."""


def encoder(form: str, sample_rate: int, *, whole: bool) -> Encoder:
    """Return an encoder.

    Args:
        form: One of `MEDIA_TYPES`.
        sample_rate: Of the samples.
        whole: Whether all bytes may come at the end, with right lengths in the head.
    """
    rate = FIXED_RATE if form in FIXED else sample_rate
    made: Encoder
    if form == "pcm":
        made = _Pcm()
    elif form == "wav":
        made = _WholeWav(rate) if whole else _EndlessWav(rate)
    else:
        made = _Library(form, rate, whole=whole)
    return made if rate == sample_rate else _Resampled(made, sample_rate, rate)


def rate_of(form: str, sample_rate: int) -> int:
    """Return the samples per second of what an encoder makes."""
    return FIXED_RATE if form in FIXED else sample_rate


@final
class _Pcm:
    def add(self, samples: Tensor) -> bytes:
        return as_16_bit(samples)

    def end(self) -> bytes:
        return b""

    def close(self) -> None:
        """Hold nothing."""


@final
class _EndlessWav:
    def __init__(self, rate: int) -> None:
        self._head = wav_head(rate, None)

    def add(self, samples: Tensor) -> bytes:
        head, self._head = self._head, b""
        return head + as_16_bit(samples)

    def end(self) -> bytes:
        return b""

    def close(self) -> None:
        """Hold nothing."""


@final
class _WholeWav:
    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._made = bytearray()

    def add(self, samples: Tensor) -> bytes:
        self._made += as_16_bit(samples)
        return b""

    def end(self) -> bytes:
        return wav_head(self._rate, len(self._made)) + bytes(self._made)

    def close(self) -> None:
        self._made.clear()


def wav_head(rate: int, length: int | None) -> bytes:
    """Return what stands before the 16-bit samples of one channel.

    Args:
        rate: Samples per second.
        length: Of the samples, in bytes; None: not known yet.
    """
    riff, data = (_UNKNOWN, _UNKNOWN) if length is None else (36 + length, length)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", riff, b"WAVE") + form + struct.pack("<4sI", b"data", data)


@final
class _Library:
    """FLAC, MP3 and Opus by libsndfile, through a file that is read while it is written."""

    def __init__(self, form: str, rate: int, *, whole: bool) -> None:
        import soundfile

        name, subtype = _LIBRARY[form]
        # LAME begins with an empty frame, into which it writes lengths at the end. A stream does
        # without; its rate is constant, from which players know how long it is.
        streamed_mp3 = form == "mp3" and not whole
        rates = {"bitrate_mode": "CONSTANT", "compression_level": 0.5} if streamed_mp3 else {}
        self._target = _Sink(drop_first=streamed_mp3)
        self._file = soundfile.SoundFile(self._target, "w", rate, 1, subtype, format=name, **rates)
        self._whole = whole

    def add(self, samples: Tensor) -> bytes:
        for start in range(0, len(samples), _BLOCK):
            self._file.write(samples[start : start + _BLOCK].clamp(-1, 1).numpy())
        return b"" if self._whole else self._target.take()

    def end(self) -> bytes:
        self._file.close()
        return self._target.take()

    def close(self) -> None:
        self._file.close()


@final
class _Sink(io.RawIOBase):
    """A file whose bytes leave as they come; what is rewritten after it has left is dropped.

    A writer goes back to the head at the end to fill in a length, which a stream cannot have.

    Args:
        drop_first: Whether what is written first is dropped.
    """

    def __init__(self, *, drop_first: bool) -> None:
        super().__init__()
        self._drops = drop_first
        self._held = bytearray()
        self._gone = 0
        self._at = 0

    def take(self) -> bytes:
        taken, self._held = bytes(self._held), bytearray()
        self._gone += len(taken)
        return taken

    def write(self, data: Any) -> int:
        data = bytes(data)
        if self._drops:
            self._drops, self._gone = False, len(data)
        kept = data[max(0, self._gone - self._at) :]
        place = max(0, self._at - self._gone)
        self._held[place : place + len(kept)] = kept
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        end = self._gone + len(self._held)
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: end}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True


@final
class _Resampled:
    """Another number of samples per second, the same whatever pieces they come in."""

    def __init__(self, inner: Encoder, rate: int, to: int) -> None:
        import soxr

        self._inner = inner
        self._stream = soxr.ResampleStream(rate, to, 1, dtype="float32")

    def add(self, samples: Tensor) -> bytes:
        return self._inner.add(self._resampled(samples, last=False))

    def end(self) -> bytes:
        import torch

        return self._inner.add(self._resampled(torch.zeros(0), last=True)) + self._inner.end()

    def close(self) -> None:
        self._inner.close()

    def _resampled(self, samples: Tensor, *, last: bool) -> Tensor:
        import torch

        return torch.from_numpy(self._stream.resample_chunk(samples.float().numpy(), last=last))


def encoded(form: str, pieces: Sequence[Tensor], sample_rate: int) -> bytes:
    """Return a whole sound."""
    with contextlib.closing(encoder(form, sample_rate, whole=True)) as writer:
        return b"".join([*(writer.add(each) for each in pieces), writer.end()])

"""Griffin-Lim: phases for magnitudes, by projections between spectra and waveforms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_LEAST_WINDOW = 1e-10
"""Where the squared windows sum to less, a sample is taken as 0 instead of divided by nothing."""

_LEAST_SQUARE = 1e-30
"""Added to a squared magnitude, so that silence has a phase."""


class ShortTimeFourier:
    """The short-time Fourier transform of whole frames and its least-squares inverse.

    Unlike ``torch.istft`` it also returns the ends of a waveform, where windows do not overlap; the
    caller cuts off what was reflected there.

    Args:
        window: (n_fft,), the Hann window with zeros around it.
        hop: Samples between frames.
        num_frames: Frames of the spectra.
    """

    def __init__(self, window: Tensor, hop: int, num_frames: int) -> None:
        self._window = window
        self._hop = hop
        squares = self._overlap_add(window.square().expand(num_frames, -1))
        self._scale = torch.where(squares > _LEAST_WINDOW, 1 / squares, 0.0)

    def spectrum(self, wave: Tensor) -> Tensor:
        """Return the spectrum of each frame: (S,) -> (T, F)."""
        frames = wave.unfold(0, len(self._window), self._hop)
        spectrum: Tensor = torch.fft.rfft(frames * self._window)
        return spectrum

    def wave(self, spectrum: Tensor) -> Tensor:
        """Return the waveform whose spectrum is nearest: (T, F) -> (S,)."""
        frames = torch.fft.irfft(spectrum, len(self._window)) * self._window
        return self._overlap_add(frames) * self._scale

    def _overlap_add(self, frames: Tensor) -> Tensor:
        """Return the sum of frames that begin a hop apart: (T, n_fft) -> (n_fft + hop (T - 1),)."""
        num_frames, size = frames.shape
        pieces = -(-size // self._hop)
        # (T, n_fft) -> (T, pieces, hop), the last piece filled up with zeros
        cut = F.pad(frames, (0, pieces * self._hop - size)).view(num_frames, pieces, self._hop)
        total = cut.new_zeros(num_frames + pieces - 1, self._hop)
        for piece in range(pieces):
            total[piece : piece + num_frames] += cut[:, piece]
        return total.flatten()[: size + self._hop * (num_frames - 1)]


def find_wave(
    magnitudes: Tensor, fourier: ShortTimeFourier, *, iterations: int, momentum: float, seed: int
) -> Tensor:
    """Return a waveform with about the magnitudes, from the same first phases for the same seed.

    The fast variant of Perraudin, Balazs and Søndergaard (2013) as librosa has it: the spectrum
    before is subtracted, weighted by momentum / (1 + momentum).

    Shape:
        magnitudes: (T, F), at most about 1. Returns: (S,).
    """
    generator = torch.Generator().manual_seed(seed)
    turns = torch.rand(magnitudes.shape, generator=generator)
    estimate = torch.polar(magnitudes, 2 * torch.pi * turns)
    before: Tensor | None = None
    for _ in range(iterations):
        spectrum = fourier.spectrum(fourier.wave(estimate))
        ahead = spectrum
        if before is not None:
            ahead = torch.sub(spectrum, before, alpha=momentum / (1 + momentum))
        estimate = _with_magnitudes(ahead, magnitudes)
        before = spectrum
    return fourier.wave(estimate)


def _with_magnitudes(spectrum: Tensor, magnitudes: Tensor) -> Tensor:
    """Return the magnitudes with the spectrum's phases.

    Squares by hand: torch's `abs` of complex numbers takes twice as long, since it cannot overflow.
    """
    square = torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)
    scale = square.add_(_LEAST_SQUARE).rsqrt_().mul_(magnitudes)
    return torch.view_as_complex(torch.view_as_real(spectrum) * scale.unsqueeze(-1))

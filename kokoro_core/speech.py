"""From text to samples, with the frontend and the vocoder of a model's spec."""

from __future__ import annotations

import unicodedata
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kokoro_core.contracts.speech import Frontend
from kokoro_core.errors import FrontendWarning
from kokoro_core.spec.rules.side_inputs import refusal_of_side_inputs

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from kokoro_core.api import KokoroModel
    from kokoro_core.generation import Generation
    from kokoro_core.spec.tree.model_spec import ModelSpec

LEAST_SHARE = 0.8
"""Share of the planned frames below which a stop token has cut words off. A trained model ends
within a few percent of its plan; the shortest of five sentences tried is 13 % of them."""

_REMEDIES = {
    "max_mel_len": "raise `max_mel_len`, or speak the text in parts",
    "not_finite": "a frame was NaN or infinite, so the weights or the precision are at fault",
    "stop_token": "speak the text in parts, sentence by sentence",
}


@dataclass(frozen=True)
class SynthesisResult:
    """Synthesized speech, and how its generation ended.

    Attributes:
        samples: (S,) float32 in [-1, 1].
        sample_rate: Samples per second.
        frames: Generated mel frames.
        planned_frames: Sum of the durations; None without a plan.
        stop_reason: Why generation ended.
        unspoken: The text from the first word on that was not spoken completely; empty if nothing
            is missing, or if that is unknown.
        notes: The frontend's warnings about its reading of the text.
    """

    samples: Tensor
    sample_rate: int
    frames: int
    planned_frames: int | None
    stop_reason: str
    unspoken: str
    notes: tuple[str, ...]

    @property
    def audio_seconds(self) -> float:
        """The length of the speech."""
        return len(self.samples) / self.sample_rate

    @property
    def is_complete(self) -> bool:
        """Whether all of the text may have been spoken."""
        return _is_complete(self.stop_reason, self.frames, self.planned_frames)

    @property
    def loss(self) -> str | None:
        """A sentence about what was not spoken; None if nothing is missing."""
        if self.is_complete:
            return None
        planned = "" if self.planned_frames is None else f" of {self.planned_frames} planned"
        missing = f"; not spoken: {_shortened(self.unspoken)!r}" if self.unspoken else ""
        remedy = _REMEDIES.get(self.stop_reason, "allow more")
        return (
            f"only {self.frames}{planned} frames were spoken, ended by {self.stop_reason}"
            f"{missing}; {remedy}."
        )


def _is_complete(reason: str, frames: int, planned: int | None) -> bool:
    if reason == "stop_token":
        return planned is None or frames >= LEAST_SHARE * planned
    return reason in ("planned_length", "complete")


def _shortened(text: str, at_most: int = 60) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= at_most else f"{flat[:at_most].rstrip()} …"


def speak(
    model: KokoroModel, text: str, *, dtype: torch.dtype | None = None, **options: Any
) -> SynthesisResult:
    """Synthesize a text with the frontend and the vocoder of the model's spec.

    Args:
        model: The model.
        text: The text.
        dtype: The precision of the decoder; None: the model's.
        **options: Those of `KokoroModel.generate`.

    Raises:
        ValueError: The spec has no frontend, no vocoder or no audio section, needs side inputs, or
            the model's first frame is not finite.
        FrontendError: The text contains nothing to speak, or something without a symbol.
    """
    import torch

    spec = model.spec
    _check_speaks(spec)
    assert spec.frontend is not None
    assert spec.vocoder is not None
    assert spec.audio is not None
    frontend = spec.frontend.build(spec.sizes)
    vocoder = spec.vocoder.build(spec.audio)
    vocoder.check_audio(spec.audio)
    indices, notes = _read(frontend, text)
    phonemes = torch.tensor([indices], device=next(model.parameters()).device)
    result = model.generate(phonemes, dtype=dtype, **options)
    frames = int(result.lengths[0])
    if frames == 0:
        raise ValueError(
            "The model's first frame is not finite, so nothing was spoken; look at its weights, or "
            "speak in another precision."
        )
    mel = result.mel.float() * spec.audio.std + spec.audio.mean
    samples = vocoder.decode(mel.cpu(), result.lengths.cpu())[0]
    return SynthesisResult(
        samples,
        spec.audio.sample_rate,
        frames,
        None if result.durations is None else int(result.durations[0].sum()),
        str(result.stop_reasons[0]),
        _unspoken(frontend, text, result),
        notes,
    )


def _read(frontend: Frontend, text: str) -> tuple[list[int], tuple[str, ...]]:
    """Return the phoneme indices of a text and the frontend's warnings about it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FrontendWarning)
        indices = frontend.encode(text)
    for each in caught:
        if not issubclass(each.category, FrontendWarning):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    notes = [str(each.message) for each in caught if issubclass(each.category, FrontendWarning)]
    return indices, tuple(notes)


def _check_speaks(spec: ModelSpec) -> None:
    """Reject a spec that cannot turn text into sound.

    Raises:
        ValueError: The spec lacks a section, or needs more than a text.
    """
    absent = [f"`{n}`" for n in ("frontend", "vocoder", "audio") if getattr(spec, n) is None]
    if absent:
        raise ValueError(
            f"The model's spec has no {' and no '.join(absent)}; a model that is to speak from "
            f"text needs `frontend`, `vocoder` and `audio`."
        )
    refusal = refusal_of_side_inputs(spec)
    if refusal is not None:
        raise ValueError(f"{refusal}.")


def _unspoken(frontend: Frontend, text: str, result: Generation) -> str:
    """Return the text from the word of the last frame on, if words are missing."""
    if result.durations is None:
        return ""
    frames, durations = int(result.lengths[0]), result.durations[0]
    if _is_complete(str(result.stop_reasons[0]), frames, int(durations.sum())):
        return ""
    positions = frontend.positions(text)
    spoken = int((durations.cumsum(0) <= frames).sum())
    if positions is None or spoken >= len(positions):
        return ""
    return unicodedata.normalize("NFC", text)[positions[spoken] :]


def write_wav(path: Path, samples: Tensor, sample_rate: int) -> None:
    """Write samples in [-1, 1] as a mono 16-bit wav."""
    import wave

    import torch

    whole = torch.round(samples.clamp(-1, 1) * 32767).to(torch.int16)
    with path.open("wb") as target, wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(whole.numpy().astype("<i2").tobytes())

"""A decoder that gives a waveform itself, a frame's samples where others give a frame's mel."""

from __future__ import annotations

from collections.abc import Iterator

from kokoro_core.slots import DecoderParams
from kokoro_core.spec.problems.problem import Path
from kokoro_core.spec.problems.violation import RuleViolation
from kokoro_core.spec.rules.own_losses import replaced_losses
from kokoro_core.spec.tree.model_spec import ModelSpec

WAVE = "wave"
"""What such a decoder gives, and the feature that it learns from: (B, T, hop_length)."""

_OF_THE_MEL = ("mel_l1", "mel_mse")
_AT: Path = ("decoder", "type")


def gives_wave(decoder: DecoderParams) -> bool:
    """Return whether a decoder gives samples and no mel."""
    return WAVE in decoder.gives and "mel" not in decoder.gives


def find_wrong_waves(spec: ModelSpec) -> Iterator[RuleViolation]:
    """Yield what does not fit a decoder that gives a waveform."""
    if not gives_wave(spec.decoder):
        return
    for message, other in _conflicts(spec):
        causes = (_AT,) if other is None else (_AT, other)
        yield RuleViolation("inconsistent", _AT, message, other, causes)


def _conflicts(spec: ModelSpec) -> Iterator[tuple[str, Path | None]]:
    if not spec.decoder.parallel:
        yield (
            "gives a waveform, but an autoregressive decoder is fed with the mel that it made; "
            "choose a parallel one",
            None,
        )
    if spec.audio is None:
        yield (
            "gives a waveform, and {other} is null, whose `hop_length` says how many samples a "
            "frame has; fill it",
            ("audio",),
        )
    if spec.vocoder is not None:
        yield (
            "gives a waveform, so nothing is left for {other}; write `vocoder: null`",
            ("vocoder",),
        )
    if "mel" not in replaced_losses(spec):
        for name in _OF_THE_MEL:
            if getattr(spec.loss, name) > 0:
                yield (
                    f"gives a waveform, which {{other}} cannot be computed from; let `replaces` "
                    f"have 'mel', or write `{name}: 0`",
                    ("loss", name),
                )

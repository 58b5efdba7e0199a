"""A vocoder with weights, built as its settings say; the acoustic model knows nothing of it."""

from __future__ import annotations

import torch

from kokoro_core.contracts import NeuralVocoder, Vocoder
from kokoro_core.errors import AudioMismatch
from kokoro_core.model.assembly import initialisation, usual_device
from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.component import owner_of
from kokoro_core.params.component_failure import ComponentFailure, raised, returned
from kokoro_core.slots import VocoderParams

_PATH = ("vocoder",)


def assemble_vocoder(
    params: VocoderParams,
    audio: AudioSettings,
    *,
    device: torch.device | str | None = None,
    initialise: bool = True,
) -> NeuralVocoder:
    """Build the vocoder that settings describe, in evaluation mode and without gradients.

    Args:
        params: Of a vocoder that is `trained`.
        audio: The settings of the mels that it is to read.
        device: Where its parameters are made; ``meta`` to compare names and shapes only.
        initialise: False leaves parameters unset, for weights that come from a file.

    Raises:
        AudioMismatch: The settings do not fit the mels.
        SpecError: Its plugin failed, or built something else.
    """
    with usual_device(torch.device(device or "cpu")), initialisation(initialise):
        vocoder = _built(params, audio)
    if not isinstance(vocoder, NeuralVocoder):
        what = returned(vocoder, "a `NeuralVocoder`, from `build`, since it is `trained`")
        raise ComponentFailure(_PATH, owner_of(type(params)), what)
    return as_it_speaks(vocoder)


def _built(params: VocoderParams, audio: AudioSettings) -> Vocoder:
    try:
        return params.build(audio)
    except AudioMismatch:
        raise
    except Exception as error:
        what = f"{raised(error)} in `build`"
        raise ComponentFailure(_PATH, owner_of(type(params)), what) from error


def as_it_speaks(vocoder: NeuralVocoder) -> NeuralVocoder:
    """Return a vocoder in evaluation mode and without gradients."""
    return vocoder.eval().requires_grad_(False)

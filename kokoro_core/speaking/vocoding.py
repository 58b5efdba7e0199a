"""The vocoder that a model speaks through, and what makes samples of its mels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kokoro_core.spec.tree.model_spec import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor

    from kokoro_core.api import KokoroModel
    from kokoro_core.contracts import NeuralVocoder, Vocoder
    from kokoro_core.generation import Generation
    from kokoro_core.slots import VocoderParams


def vocoder_of(model: KokoroModel) -> Vocoder:
    """Return the vocoder of a model: the one that its checkpoint has weights for, or its spec's.

    One with 16-bit weights is returned as a copy in float32.

    Raises:
        ValueError: The spec has no vocoder, or one without weights.
        AudioMismatch: It was made for other mels.
    """
    spec = model.spec
    if spec.vocoder is None or spec.audio is None:
        raise ValueError(f"The spec `{spec.name}` has no `vocoder` or no `audio` to build it for.")
    if not spec.vocoder.trained:
        vocoder = spec.vocoder.build(spec.audio)
    elif model.vocoder is None:
        raise ValueError(without_weights(spec))
    else:
        vocoder = _widened(model.vocoder, spec.vocoder)
    vocoder.check_audio(spec.audio)
    return vocoder


def _widened(vocoder: NeuralVocoder, params: VocoderParams) -> NeuralVocoder:
    """Return a vocoder that calculates in float32: few devices have spectra of 16 bits.

    It is built anew, since its windows and other tables were rounded as well.
    """
    from kokoro_core.model.vocoder import assemble_vocoder

    weight = next(vocoder.parameters())
    if weight.dtype.itemsize >= 4:
        return vocoder
    wide = assemble_vocoder(params, vocoder.audio, device=weight.device, initialise=False)
    wide.load_state_dict(vocoder.state_dict())
    return wide


def without_weights(spec: ModelSpec) -> str:
    """Return the sentence that says of a spec's vocoder that it has no weights yet."""
    assert spec.vocoder is not None
    return (
        f"The vocoder `{spec.vocoder.type}` of `{spec.name}` has no weights yet; `kokoro-core "
        f"train-vocoder` trains one, `kokoro-core checkpoint attach` puts it into a checkpoint, "
        f"and `synthesize` with `--set 'vocoder={{type: griffin_lim}}'` speaks without."
    )


def samples_of(model: KokoroModel) -> Callable[[Generation], Tensor]:
    """Return what turns a generation into samples (B, S): the vocoder, or the decoder itself.

    A vocoder with weights computes where the mels are, any other one on the CPU.

    Raises:
        ValueError: As `vocoder_of`.
        AudioMismatch: As `vocoder_of`.
    """
    from kokoro_core.contracts import NeuralVocoder

    audio = model.spec.audio
    assert audio is not None
    if model.spec.vocoder is None:
        return lambda result: result.mel.float().cpu().flatten(1)
    vocoder = vocoder_of(model)
    is_neural = isinstance(vocoder, NeuralVocoder)

    def decode(result: Generation) -> Tensor:
        mel = result.mel.float() * audio.std + audio.mean
        return vocoder.decode(mel if is_neural else mel.cpu(), result.lengths.cpu()).cpu()

    return decode

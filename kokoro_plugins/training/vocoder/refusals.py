"""What a vocoder cannot be trained with, before or as soon as its recordings are known."""

from __future__ import annotations

from collections.abc import Sequence

from kokoro_core import ModelSpec
from kokoro_core.params.audio import AudioSettings
from kokoro_core.spec.rules.waves import WAVE
from kokoro_plugins.training.loop.optimizers import refuse_unknown_stages
from kokoro_plugins.training.loop.stages import stages_of
from kokoro_plugins.training.settings import TrainingSettings
from kokoro_plugins.training.vocoder.losses import least_samples
from kokoro_plugins.training.vocoder.settings import VocoderOptions


def refuse_spec(spec: ModelSpec) -> None:
    """Refuse a spec without a vocoder that can be trained.

    Raises:
        ValueError: It has none, or no audio or no frontend.
    """
    if spec.vocoder is None or not spec.vocoder.trained:
        found = "no `vocoder`" if spec.vocoder is None else f"the vocoder `{spec.vocoder.type}`"
        raise ValueError(
            f"The spec `{spec.name}` has {found}, which has no weights to train; write "
            f"`vocoder: {{type: vocos}}`, or add `--set vocoder={{type: vocos}}`."
        )
    if spec.audio is None or spec.frontend is None:
        raise ValueError(
            f"The spec `{spec.name}` has no `audio` or no `frontend`; a vocoder is trained on the "
            f"recordings of a corpus, which needs both."
        )


def refuse_crops(spec: ModelSpec, options: VocoderOptions) -> None:
    """Refuse crops that are shorter than the longest spectrogram's frame.

    Raises:
        ValueError: They are.
    """
    assert spec.audio is not None
    if options.crop_frames < (least := shortest_crop(spec.audio)):
        raise ValueError(
            f"`--crop-frames` must be {least} or more, not {options.crop_frames}: the losses look "
            f"at {least_samples(spec.audio)} samples at once, and a frame has "
            f"{spec.audio.hop_length}."
        )


def refuse_longer_crops(spec: ModelSpec, frames: int, lengths: Sequence[int]) -> None:
    """Refuse crops that are longer than every recording, and silence from there on.

    Args:
        spec: Of the vocoder.
        frames: Of a crop.
        lengths: Of the recordings.

    Raises:
        ValueError: They are.
    """
    assert spec.audio is not None
    most = max(shortest_crop(spec.audio), *lengths)
    if frames > most:
        raise ValueError(
            f"`--crop-frames` must be {most} or less, not {frames}: the longest recording has "
            f"{max(lengths)} frames, and what a crop has beyond is silence."
        )


def shortest_crop(audio: AudioSettings) -> int:
    """Return how many frames a crop has at least."""
    return -(-least_samples(audio) // audio.hop_length)


def refuse_objective(spec: ModelSpec, settings: TrainingSettings) -> None:
    """Refuse an objective that judges something else than waves, or has other stages.

    Raises:
        ValueError: It does, or has.
    """
    objective = settings.objective
    for name in sorted(objective.needs - {WAVE} if objective is not None else ()):
        assert objective is not None
        raise ValueError(
            f"The objective `{objective.type}` needs `{name}`, and a vocoder gives `{WAVE}`; name "
            f"discriminators of waves, such as `multi_period` and `multi_resolution`."
        )
    refuse_unknown_stages(settings, stages_of(settings, spec.sizes))

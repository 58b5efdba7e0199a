"""Durations by warping: a model speaks the same phonemes, and its mel is laid onto a recording's.

The model knows how long each of its phonemes is, in the frames of the recording, so that any voice
aligns what is read with its own frontend. How near it comes is in docs/prepare.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kokoro_core import KokoroModel, ModelSpec
from kokoro_core.contracts import Frontend
from kokoro_core.errors import CorpusError
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.preparing.prepared import Unfit
from kokoro_plugins.speech.preparing.warping import warp

LONGEST = 4
"""What the model says may be so many times as long as the recording."""


@final
class VoiceAligner:
    """Finds the frames of each phoneme of a recording.

    Args:
        checkpoint: Of the model that speaks: a file, a folder, or the name of a voice.
        frontend: Gives the index of each phoneme; the model has the same.
        audio: Of the recordings' mels; the model's are the same but for mean and std.
    """

    def __init__(self, checkpoint: Path, frontend: Frontend, audio: AudioSettings) -> None:
        model = KokoroModel.load(checkpoint)
        self._model = model.float().eval()
        self._frontend = frontend
        own = model.spec.audio
        assert own is not None
        self._mean, self._std = own.mean, own.std
        known = {"speaker": model.spec.speakers, "language": model.spec.languages}
        self._known = {feature: names for feature, names in known.items() if names}

    def align(
        self, symbols: Sequence[str], recorded: Tensor, **names: str | None
    ) -> tuple[tuple[int, ...], float]:
        """Return the frames of each phoneme, at least one, and how far the two mels are apart.

        Args:
            symbols: The phonemes, no more than there are frames.
            recorded: The mel of the recording, (T, M).
            **names: Its ``speaker`` and ``language``; for one that the model does not know it
                speaks as the first that it knows.

        Raises:
            Unfit: The model cannot speak them.
        """
        indices = torch.tensor([self._frontend.indices(symbols)])
        named: dict[str, Any] = {
            feature: name if (name := names.get(feature)) in known else known[0]
            for feature, known in self._known.items()
        }
        try:
            # At a threshold of 1 no stop token ends what was planned.
            spoken = self._model.generate(
                indices,
                max_mel_len=LONGEST * len(recorded),
                stop_threshold=1.0,
                seed=0,
                **named,
            )
        except ValueError as error:
            raise Unfit(
                "texts that the voice cannot speak", f"cannot be aligned: {error}"
            ) from None
        assert spoken.durations is not None
        length = int(spoken.lengths[0])
        mel = spoken.mel[0, :length].double().numpy() * self._std + self._mean
        first, distance = warp(mel, recorded.double().numpy())
        ends = np.minimum(spoken.durations[0].cumsum(0).numpy(), length)
        moved = np.append(first, len(recorded))[ends]
        return tuple(frames_between(moved, len(recorded))), distance


def frames_between(ends: NDArray[np.int64], frames: int) -> list[int]:
    """Return the frames of phonemes by where each ends, moved as little as gives each a frame.

    Args:
        ends: Never falling, at most `frames`.
        frames: Of them all, no fewer than there are phonemes.
    """
    places = np.arange(1, len(ends) + 1)
    # What each may end at soonest, given those before it, and latest, given those after it.
    soonest = np.maximum.accumulate(ends - places) + places
    soonest = np.maximum(soonest, places)
    latest = frames - places[::-1] + 1
    moved = np.minimum(soonest, latest)
    moved[-1] = frames
    return [int(each) for each in np.diff(moved, prepend=0)]


def refuse_voice(checkpoint: Path, voice: ModelSpec, spec: ModelSpec) -> None:
    """Refuse to align by a model that does not speak the phonemes of a spec in its frames.

    Raises:
        CorpusError: The message says what differs.
    """
    differs = None
    if voice.regulator is None or voice.frontend is None or voice.audio is None:
        differs = "it plans no durations"
    elif spec.frontend is None or _symbols(voice) != _symbols(spec):
        differs = "its frontend has other symbols"
    elif spec.audio is None or _form(voice.audio) != _form(spec.audio):
        differs = "its section `audio` differs in more than mean and std"
    if differs is not None:
        raise CorpusError(
            f"`--align voice` lets `{checkpoint}` speak the phonemes of `{spec.name}`, but "
            f"{differs}; give the checkpoint alone, whose spec is then taken, or `--align viterbi`."
        )


def _symbols(spec: ModelSpec) -> tuple[str, ...]:
    assert spec.frontend is not None
    return tuple(spec.frontend.build(spec.sizes).symbols)


def _form(audio: AudioSettings) -> AudioSettings:
    return audio.model_copy(update={"mean": 0.0, "std": 1.0})

"""Where a vocoder's weights come from: its file, a checkpoint, or a published folder."""

from __future__ import annotations

import os
from pathlib import Path

from kokoro_core.checkpoints.import_folder import CONFIG, model_type_of
from kokoro_core.checkpoints.values import check_finite
from kokoro_core.checkpoints.vocoder_file import SavedVocoder, load_vocoder
from kokoro_core.errors import AudioMismatch
from kokoro_core.model.vocoder import as_it_speaks
from kokoro_core.slots import VOCODER, VocoderParams
from kokoro_core.spec.tree.model_spec import ModelSpec
from registry import Plugins


def read_vocoder(path: Path, spec: ModelSpec, plugins: Plugins) -> SavedVocoder:
    """Return a vocoder with its weights for the mels of a spec.

    Args:
        path: What `load_vocoder` takes, or a folder as others publish it.
        spec: Of the model that is to speak through it.
        plugins: Where components come from.

    Raises:
        AudioMismatch: A published one was made for other mels, or the spec does not say which.
        CheckpointError: It is missing, damaged or none.
        SpecError: Its settings need components that are not installed.
    """
    reader = _reader_of(path, plugins)
    if reader is None:
        return load_vocoder(path, plugins)
    if spec.audio is None:
        raise AudioMismatch(
            f"`{path}` cannot be attached, since the spec `{spec.name}` has no `audio` and so does "
            f"not say what its mels are."
        )
    params, vocoder = reader.read_published(path, spec.audio)
    check_finite(
        f"`{path}` is refused", vocoder.state_dict(), set(dict(vocoder.named_parameters()))
    )
    return SavedVocoder(params, spec.audio, as_it_speaks(vocoder))


def _reader_of(path: Path, plugins: Plugins) -> type[VocoderParams] | None:
    """Return the vocoder that reads a published folder; None: it is none, or no one reads it."""
    if not os.path.lexists(path / CONFIG):
        return None
    found = model_type_of(path)
    every = (plugins.components.get(VOCODER, n) for n in plugins.components.names(VOCODER.name))
    return next((each for each in every if found in each.model_types), None)

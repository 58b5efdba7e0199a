"""The files ``features/ID.safetensors``: pitch, voicing and energy of a recording, computed once.

A file counts only for the recording and the settings that it was made of, so nothing has to be
deleted when one of them changes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from kokoro_core.durable import atomic_file
from kokoro_core.params.audio import AudioSettings

FOLDER = "features"
_KEY = "made_of"


def write_features(recording: Path, audio: AudioSettings, features: Mapping[str, Tensor]) -> None:
    """Write features of a recording ``wavs/ID.wav``, each (T,)."""
    file = file_of(recording)
    file.parent.mkdir(exist_ok=True)
    tensors = {name: each.contiguous() for name, each in features.items()}
    with atomic_file(file) as new:
        new.write_bytes(save(tensors, {_KEY: _key(recording, audio)}))


def read_features(recording: Path, audio: AudioSettings) -> dict[str, Tensor]:
    """Return the features that were written for a recording as it is now; maybe none."""
    try:
        with safe_open(file_of(recording), framework="pt") as found:
            if (found.metadata() or {}).get(_KEY) != _key(recording, audio):
                return {}
            return {name: found.get_tensor(name) for name in found.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return {}


def file_of(recording: Path) -> Path:
    """Return where the features of a recording are."""
    return recording.parent.parent / FOLDER / f"{recording.stem}.safetensors"


def _key(recording: Path, audio: AudioSettings) -> str:
    """Return what decides the features: the samples, and all settings but mean and std."""
    settings = {**audio.model_dump(), "mean": None, "std": None}
    text = json.dumps(settings, sort_keys=True).encode()
    return hashlib.sha256(text + recording.read_bytes()).hexdigest()

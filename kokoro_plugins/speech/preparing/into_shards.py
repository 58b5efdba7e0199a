"""A prepared folder written once more, by a kind of corpus that can be written to."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kokoro_core.params.component import params_from
from kokoro_core.slots import CORPUS
from kokoro_core.spec.rules.intake import features_for_training
from kokoro_plugins.speech.params import FolderCorpusParams
from kokoro_plugins.speech.preparing.preparation import Preparation
from registry import Plugins

SHARDS = "shards"
"""The kind of corpus that is written, and the folder inside the prepared one."""

FILES = ("metadata.csv", "durations.csv", "speakers.csv", "languages.csv", "held_out.txt")


def write_shards(made: Preparation, plugins: Plugins, workers: int) -> Path:
    """Write what was prepared as shards beside it, and return their folder.

    Raises:
        CorpusError: The folder of shards holds something else, or another process writes there.
    """
    spec, folder = made.spec, made.out / SHARDS
    assert spec.audio is not None
    assert spec.frontend is not None
    frontend = spec.frontend.build(spec.sizes)
    source = FolderCorpusParams(path=str(made.out), cache_mib=0)
    target = params_from(plugins.components.get(CORPUS, SHARDS), {"path": str(folder)})
    target.write(
        source.build(audio=spec.audio, frontend=frontend),
        audio=spec.audio,
        frontend=frontend,
        features=features_for_training(spec),
        made_of=state_of(made),
        workers=workers,
    )
    return folder


def state_of(made: Preparation) -> str:
    """Return what differs if anything of a prepared folder does, without reading recordings."""
    digest = hashlib.sha256()
    for file in FILES:
        path = made.out / file
        digest.update(path.read_bytes() if path.exists() else b"-")
    for each in made.utterances:
        found = (made.out / "wavs" / f"{each.name}.wav").stat()
        digest.update(f"{each.name}|{found.st_size}|{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()

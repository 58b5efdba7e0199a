"""Put a vocoder into a checkpoint or take it out; the model's own tensors stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from kokoro_core.checkpoints.locate import checkpointer_for, open_checkpoint
from kokoro_core.checkpoints.savable import readable
from kokoro_core.checkpoints.store import spec_inside
from kokoro_core.checkpoints.vocoder_source import read_vocoder
from kokoro_core.checkpoints.vocoder_tensors import parted, placed
from kokoro_core.errors import CheckpointError
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.tensors.compiled import original_state
from registry import Plugins


@dataclass(frozen=True)
class Written:
    """A checkpoint that was written and read back.

    Attributes:
        path: The file.
        content_hash: As it states it.
        named: The vocoder of its spec.
        model: Tensors of the acoustic model.
        vocoder: Those of the vocoder.
    """

    path: Path
    content_hash: str
    named: str | None
    model: int
    vocoder: int


def attach(path: Path, vocoder: Path, out: Path | None, plugins: Plugins) -> Written:
    """Write a checkpoint with a vocoder, in the place of the one that it may have.

    Args:
        path: The checkpoint.
        vocoder: A file with one, another checkpoint that has one, or a folder as others publish it.
        out: The file to write; None: the checkpoint itself, replaced atomically, which the file
            of a voice or of a training's step is not.
        plugins: Where components come from.

    Raises:
        AudioMismatch: The vocoder was made for other mels than the model makes.
        CheckpointError: The checkpoint is damaged or none, is a voice or of a step and `out` is
            None, or the copy cannot be written.
        SpecError: The model can have no vocoder.
    """
    found = _read(path, out, plugins)
    saved = read_vocoder(vocoder, found.spec, plugins)
    spec = saved.attached_to(found.spec, plugins)
    return _write(found, spec, original_state(placed(saved.vocoder)), plugins)


def detach(path: Path, out: Path | None, plugins: Plugins) -> Written:
    """Write a checkpoint without the weights of its vocoder, which its spec still names.

    Args:
        path: The checkpoint.
        out: As of `attach`.
        plugins: Where components come from.

    Raises:
        CheckpointError: The checkpoint is damaged or none or has no such weights, is a voice or of
            a step and `out` is None, or the copy cannot be written.
    """
    found = _read(path, out, plugins)
    if not found.vocoder:
        raise CheckpointError(f"`{found.path}` has no weights of a vocoder to take out.")
    return _write(found, found.spec, {}, plugins)


@dataclass(frozen=True)
class _Read:
    """A checkpoint in memory.

    Attributes:
        path: Its file.
        out: The file to write.
        metadata: What stands beside its tensors.
        spec: It holds.
        model: The tensors of its acoustic model.
        vocoder: Those of its vocoder.
    """

    path: Path
    out: Path
    metadata: Mapping[str, Any]
    spec: ModelSpec
    model: Mapping[str, Tensor]
    vocoder: Mapping[str, Tensor]


def _read(path: Path, out: Path | None, plugins: Plugins) -> _Read:
    with open_checkpoint(path, plugins) as opened:
        if out is None and opened.voice is not None:
            raise CheckpointError(
                f"`{opened.voice}` is a voice, whose file stays as its plugin was installed; give "
                f"another file to write, for example `{opened.path.name}`."
            )
        if out is None and opened.step is not None:
            raise CheckpointError(
                f"`{opened.path}` is of a training's step, whose files stay as they were written; "
                f"give another file to write."
            )
        metadata = opened.content.metadata
        spec = spec_inside(opened.path, metadata, plugins)
        model, vocoder = parted(opened.content.read(verify=opened.verify))
    return _Read(opened.path, out or opened.path, metadata, spec, model, vocoder)


def _write(
    found: _Read, spec: ModelSpec, vocoder: Mapping[str, Tensor], plugins: Plugins
) -> Written:
    metadata = {**found.metadata, **readable(found.out, spec, plugins)}
    checkpointer = checkpointer_for(found.out, plugins)
    checkpointer.save(found.out, {**found.model, **vocoder}, metadata)
    with checkpointer.open(found.out) as copy:
        copy.verify()
        stated, named = str(copy.content_hash), None if spec.vocoder is None else spec.vocoder.type
        return Written(found.out, stated, named, len(found.model), len(vocoder))

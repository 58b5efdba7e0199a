"""Find and open a checkpoint: the file of a model or a vocoder, and its checkpointer. No torch."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kokoro_core.contracts.checkpoints import Checkpointer, OpenCheckpoint
from kokoro_core.durable import Manifest, Step, StepFolder
from kokoro_core.durable.disk import open_folder, open_regular, sha256_of
from kokoro_core.durable.manifest import MANIFEST_NAME, MAX_BYTES
from kokoro_core.errors import CheckpointError
from kokoro_core.slots import CHECKPOINTER
from registry import Plugins, Voice
from registry.text import suggestion

MODEL_STEM = "model"
"""What the file with the model is called in a folder, before its suffix."""

VOCODER_STEM = "vocoder"
"""What the file of a vocoder alone is called there."""


@dataclass(frozen=True)
class Located:
    """Where a model, or a vocoder alone, is.

    Attributes:
        path: The file.
        step: The step directory that it lies in, if it does.
        voice: The name of the voice that it was located by, if it was.
    """

    path: Path
    step: Step | None = None
    voice: str | None = None

    def verify(self) -> bool:
        """Compare its files with the manifest of their step directory, if there is one.

        Returns:
            True if a manifest covers every byte of the file, so that its own hash adds nothing.

        Raises:
            CheckpointError: A file is not what the manifest says.
        """
        if self.step is None:
            return False
        stem = self.path.name.partition(".")[0]
        for name, record in self.step.manifest.files.items():
            if not name.startswith((f"{stem}.", f"{stem}-")):
                continue
            with self.step.open(name) as file:
                found = sha256_of(file.fileno())
            if found != record.sha256:
                raise CheckpointError(
                    f"`{self.step.path / name}` is damaged: it has the SHA-256 {found[:12]}…, and "
                    f"`{MANIFEST_NAME}` says {record.sha256[:12]}…; take another step."
                )
        return True


@dataclass(frozen=True)
class OpenModel:
    """A checkpoint that was located and is open.

    Attributes:
        path: The file.
        step: The step directory that it lies in, if it does.
        content: What is read.
        verify: Whether reading is still to compare the content with its hash.
        voice: The name of the voice that it was located by, if it was.
    """

    path: Path
    step: Step | None
    content: OpenCheckpoint
    verify: bool
    voice: str | None = None


@contextmanager
def open_checkpoint(path: Path, plugins: Plugins, *, verify: bool = True) -> Iterator[OpenModel]:
    """Locate the model or vocoder at a path, as `locate` does, and open it.

    Args:
        path: A file, the index of several, a step directory, or a folder with one of them.
        plugins: Where checkpointers come from.
        verify: Compare its files with the manifest of their step directory now. Without
            one, the reader is told to compare the content with its hash.

    Raises:
        CheckpointError: The checkpoint is missing, damaged or none.
    """
    located = locate(path, plugins)
    _refuse_nothing(path, plugins)
    verify = verify and not located.verify()
    with checkpointer_for(located.path, plugins).open(located.path) as content:
        yield OpenModel(located.path, located.step, content, verify, located.voice)


def _refuse_nothing(path: Path, plugins: Plugins) -> None:
    """Refuse a name without a suffix that neither something here nor a voice has."""
    name = path.as_posix()
    if path.suffix or os.path.lexists(path) or plugins.voice(name) is not None:
        return
    voices = sorted(plugins.voices)
    known = f"; the voices are {', '.join(voices)}" if voices else ""
    raise CheckpointError(
        f"`{name}` is neither a file nor a folder nor a voice{suggestion(name, voices) or known}."
    )


def checkpointer_for(path: Path, plugins: Plugins) -> Checkpointer:
    """Return the checkpointer that handles files with the suffix of a path.

    Raises:
        CheckpointError: No plugin handles the suffix, or more than one does.
    """
    handled = suffixes(plugins)
    names = sorted(
        {each for suffix in handled if path.name.endswith(suffix) for each in handled[suffix]}
    )
    if len(names) != 1:
        who = f"more than one checkpointer ({', '.join(names)})" if names else "no checkpointer"
        raise CheckpointError(
            f"`{path}` has a suffix that {who} handles; "
            f"use one of {', '.join(sorted(handled)) or 'none, no checkpointer is installed'}."
        )
    params = plugins.components.get(CHECKPOINTER, names[0])
    return params.model_validate({"type": params.component_name}).build()


def suffixes(plugins: Plugins) -> dict[str, list[str]]:
    """Return the suffixes of checkpoints, each with the checkpointers that handle it."""
    handled: dict[str, list[str]] = {}
    for name in plugins.components.names(CHECKPOINTER.name):
        for suffix in plugins.components.get(CHECKPOINTER, name).suffixes:
            handled.setdefault(suffix, []).append(name)
    return handled


def locate(path: Path, plugins: Plugins) -> Located:
    """Return the file of the model or vocoder at a path, or the one of the voice of that name.

    A folder can be a step directory, a folder with a file called `model` or else `vocoder`, or a
    run's folder of step directories, of which the newest that is whole is taken; one that is newer
    and damaged is warned of.

    Raises:
        CheckpointError: The folder holds neither, or no step that is whole; or the name is that of
            a voice and of what lies here.
        AmbiguousName: More than one plugin has a voice of that name.
    """
    if (voice := _voice(path, plugins)) is not None:
        return Located(voice, voice=path.as_posix())
    if not os.path.isdir(path):
        return Located(path)
    path = Path(os.path.abspath(path))
    if os.path.lexists(path / MANIFEST_NAME):
        return _in_step(_step(path), plugins)
    names = [each for each in _names(plugins) if os.path.lexists(path / each)]
    if names:
        return Located(path / names[0])
    step = StepFolder(path).newest(lambda line: warnings.warn(line, stacklevel=2))
    if step is None:
        raise CheckpointError(
            f"`{path}` is a folder without a model or a vocoder: it has neither a step directory "
            f"nor {' nor '.join(f'`{each}`' for each in _names(plugins))}{_hint_at_steps(path)}."
        )
    return _in_step(step, plugins)


def _voice(path: Path, plugins: Plugins) -> Path | None:
    """Return the file of the voice that a path names, or None."""
    name = path.as_posix()
    found = None if path.is_absolute() else plugins.voice(name)
    if found is None:
        return None
    if os.path.lexists(path):
        raise CheckpointError(
            f"`{name}` is a voice of the plugin `{found.plugin}`, and something here is called so; "
            f"write {_other_name(name, found)} for the voice, or `{os.path.abspath(path)}`."
        )
    if not isinstance(found.checkpoint, Path):
        raise CheckpointError(
            f"The voice `{name}` lies in an archive, {found.checkpoint}, and a checkpoint is read "
            f"from a file; install its package unpacked."
        )
    return found.checkpoint


def _other_name(name: str, voice: Voice) -> str:
    """Return what else names a voice than what lies here."""
    others = [f"{voice.plugin}/{voice.name}", voice.name]
    free = [f"`{each}`" for each in others if each != name and not os.path.lexists(each)]
    return free[0] if free else f"`{voice.checkpoint}`"


def _hint_at_steps(path: Path) -> str:
    """Return where a training that did not end has left its newest step."""
    steps = path / "steps"
    step = StepFolder(steps).newest(lambda line: None) if steps.is_dir() else None
    return (
        ""
        if step is None
        else f"; its training has not ended, and its newest step is `{step.path}`"
    )


def _in_step(step: Step, plugins: Plugins) -> Located:
    names = [each for each in _names(plugins) if each in step.manifest.files]
    if len(names) != 1:
        raise CheckpointError(
            f"`{step.path}` must have one file with a model or a vocoder, not {len(names)}; it "
            f"has {', '.join(sorted(step.manifest.files))}."
        )
    return Located(step.file(names[0]), step)


def _step(path: Path) -> Step:
    """Return a step directory whatever its name has become; its manifest knows its number."""
    try:
        with open_folder(path) as folder, open_regular(MANIFEST_NAME, folder) as descriptor:
            return Step(Manifest.from_bytes(os.read(descriptor, MAX_BYTES + 1)).step, path)
    except (OSError, CheckpointError) as error:
        raise CheckpointError(f"`{path}` is not a whole step directory: {error}") from error


def _names(plugins: Plugins) -> list[str]:
    stems = (MODEL_STEM, VOCODER_STEM)
    return [f"{stem}{suffix}" for stem in stems for suffix in suffixes(plugins)]

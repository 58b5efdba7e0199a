"""The model that a training begins with: of the spec, or what a checkpoint has of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kokoro_core import Adapt, KokoroModel, ModelSpec, vocabulary_by_symbol
from kokoro_core.checkpoints.adapt import Adaptation
from kokoro_core.checkpoints.store import spec_at
from kokoro_core.durable import StepFolder
from kokoro_core.errors import CheckpointError
from registry import Plugins

SHOWN = 8
"""As many parameters are listed, and the rest counted."""


def begin_from(
    checkpoint: Path,
    spec: ModelSpec,
    fresh: Sequence[str],
    plugins: Plugins,
    say: Callable[[str], None],
) -> KokoroModel:
    """Return the model of a spec with the weights of a checkpoint.

    Phonemes, speakers and languages are known by their names: rows of tables for those that the
    checkpoint does not have start anew. Every other parameter is the checkpoint's.

    Args:
        checkpoint: A file, or a folder with one.
        spec: Of the model.
        fresh: Beginnings of names of parameters that start anew as well.
        plugins: Where components come from.
        say: Is given the table of what was kept, what has grown and what starts anew.

    Raises:
        CheckpointError: It is damaged or none, or has not all that does not start anew.
    """
    old, _ = spec_at(checkpoint, plugins)
    adapt = Adapt(spec=spec, vocabulary=phonemes_of(old, spec), fresh=fresh, say=lambda _: None)
    model = KokoroModel.load(checkpoint, adapt=adapt, plugins=plugins)
    assert model.adaptation is not None
    refuse_what_is_not_there(checkpoint, model.adaptation, fresh)
    say(str(model.adaptation))
    model.float()
    return model


def spec_of_beginning(checkpoint: Path, steps: Path | None, plugins: Plugins) -> ModelSpec:
    """Return the spec of the training that began with a checkpoint.

    Args:
        checkpoint: It may be gone by the time that the training goes on.
        steps: The folder of the steps that it goes on from, if it does.
        plugins: Where components come from.

    Raises:
        CheckpointError: It is damaged or none.
        SpecError: The spec needs components that are not installed.
    """
    goes_on = steps is not None and bool(StepFolder(steps).steps())
    return spec_at(steps if steps is not None and goes_on else checkpoint, plugins)[0]


def phonemes_of(old: ModelSpec, new: ModelSpec) -> Mapping[int, int] | None:
    """Return the old index of each symbol of a new frontend; None: they are the same.

    Specs without a frontend have indices alone, which must then be as many.
    """
    if old.frontend is None or new.frontend is None:
        return None
    before, now = (
        each.frontend.build(each.sizes).symbols for each in (old, new) if each.frontend is not None
    )
    return None if before == now else vocabulary_by_symbol(before, now)


def refuse_what_is_not_there(checkpoint: Path, found: Adaptation, fresh: Sequence[str]) -> None:
    """Refuse a checkpoint that lacks parameters which were not said to start anew.

    Raises:
        CheckpointError: The message lists them, and what says it of them.
    """
    lacking = {
        name: why
        for name, why in found.fresh.items()
        if not any(name == each or name.startswith(f"{each}.") for each in fresh)
    }
    if not lacking:
        return
    lines = [f"- {name}: {why}" for name, why in lacking.items()]
    more = [f"- and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    listed = "\n".join([*lines[:SHOWN], *more])
    parts = list(dict.fromkeys(name.partition(".")[0] for name in lacking))
    options = " ".join(f"--fresh {part}" for part in parts)
    raise CheckpointError(
        f"`{checkpoint}` has not all of the model:\n{listed}\nLet them start anew with "
        f"`{options}` (or with longer beginnings of names), or train the checkpoint's own spec."
    )

"""From a published checkpoint to a model of ours: read the folder, ask the importer, place all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kokoro_core.checkpoints.import_folder import (
    CONFIG,
    VOCABULARY,
    model_type_of,
    read_published,
    weights_in,
)
from kokoro_core.checkpoints.import_plan import Placed, made, placed
from kokoro_core.checkpoints.locate import checkpointer_for
from kokoro_core.checkpoints.tensors_of import layout_of
from kokoro_core.checkpoints.values import check_finite, on_device
from kokoro_core.contracts.checkpoints import OpenCheckpoint
from kokoro_core.contracts.importing import Importer, ImportPlan, Published
from kokoro_core.errors import CheckpointError
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.model.assembly import assemble
from kokoro_core.params.component_failure import raised
from kokoro_core.slots import IMPORTER, ImporterParams
from kokoro_core.spec.load import load
from kokoro_core.spec.problems.problem import SpecError
from kokoro_core.spec.text.document import MAPPING
from kokoro_core.spec.text.overrides import Override
from kokoro_core.spec.tree.model_spec import ModelSpec
from registry import Plugins

_MAY_BE_SET = (
    *("name", "features", "loss", "generation", "gradient_checkpointing"),
    *("audio", "frontend", "vocoder", "plugins"),
)
"""Sections of a spec that change nothing of what published weights compute."""


@dataclass(frozen=True)
class Imported:
    """A model that was published elsewhere.

    Attributes:
        spec: Its spec.
        model: It, with the published weights.
        rows: What each of its tensors is made of.
        left: Published tensors without a place, with why.
        passed_over: Published settings that were left out, with why.
        symbols: A sentence about the symbol table.
    """

    spec: ModelSpec
    model: AcousticModel
    rows: list[Placed]
    left: Mapping[str, str]
    passed_over: Mapping[str, str]
    symbols: str


def import_published(
    name: str, folder: Path, plugins: Plugins, overrides: Sequence[Override] = ()
) -> Imported:
    """Return the model of a published checkpoint, all of it placed or named as left out.

    Args:
        name: The importer's.
        folder: A folder in the layout of the Hugging Face Hub.
        plugins: Where importers and components come from.
        overrides: What the folder does not say, such as ``audio``; nothing that the weights mean.

    Raises:
        UnknownComponent: No plugin brings such an importer.
        CheckpointError: The folder is none or of another architecture, a setting cannot be
            expressed, or its tensors are not exactly those that the importer places.
        SpecError: The spec has problems.
    """
    _check_overrides(overrides)
    params = plugins.components.get(IMPORTER, name)
    published = read_published(folder)
    _check_type(folder, params, plugins)
    importer = params.model_validate({"type": params.component_name}).build()
    path = weights_in(folder)
    with checkpointer_for(path, plugins).open_published(path) as content:
        published = replace(published, tensors=frozenset(content.layout))
        plan = _plan(importer, published, folder / CONFIG)
        if problems := published.config.problems():
            raise CheckpointError(
                f"`{folder / CONFIG}` has settings that a model of ours cannot have: "
                f"{'; '.join(problems)}."
            )
        spec = _spec(plan, overrides, plugins, folder / CONFIG)
        _check_symbols(folder, published, spec)
        model, rows, left = _filled(path, content, spec, plan)
    said = _said_of_symbols(folder, published, spec)
    return Imported(spec, model, rows, left, published.config.passed_over, said)


def _plan(importer: Importer, published: Published, config: Path) -> ImportPlan:
    """Return an importer's plan; what it cannot make anything of is named by its file."""
    try:
        return importer.plan(published)
    except CheckpointError:
        raise
    except Exception as error:  # the importer is third-party code, and the settings anybody's
        raise CheckpointError(
            f"`{config}` has settings with which the importer {raised(error)}."
        ) from error


def _spec(
    plan: ImportPlan, overrides: Sequence[Override], plugins: Plugins, config: Path
) -> ModelSpec:
    """Return the spec of a plan, its problems named by the file that its settings come from."""
    try:
        return load(plan.spec, overrides, plugins)
    except SpecError as error:
        placed = [
            replace(each, source=str(config)) if each.source == MAPPING else each
            for each in error.problems
        ]
        raise SpecError(placed) from None


def _filled(
    path: Path, content: OpenCheckpoint, spec: ModelSpec, plan: ImportPlan
) -> tuple[AcousticModel, list[Placed], dict[str, str]]:
    """Return the model with its weights, what they are made of, and what was left."""
    model = assemble(spec, initialise=False)
    what = f"`{path}` does not fit the model that its settings describe"
    rows, left = placed(what, layout_of(model), content.layout, plan)
    tensors = content.read(names={each for row in rows for each in row.origin.names})
    state = dict(made(rows, tensors))
    parameters = {name for name, _ in model.named_parameters()}
    check_finite(f"`{path}` is refused", state, parameters)
    model.load_state_dict(state, strict=True, assign=True)
    return on_device(path, model, "cpu"), rows, left


def _check_overrides(overrides: Sequence[Override]) -> None:
    for each in overrides:
        if each.path[0] not in _MAY_BE_SET:
            raise CheckpointError(
                f"`{each.origin}` cannot be in an import, since the folder decides it; what can be "
                f"set is {', '.join(_MAY_BE_SET)}."
            )


def _check_type(folder: Path, params: type[ImporterParams], plugins: Plugins) -> None:
    """Refuse a folder of another architecture, with the importer that reads it."""
    found = model_type_of(folder)
    if found in params.model_types:
        return
    others = [
        f"`{name}`"
        for name in plugins.components.names(IMPORTER.name)
        if found in plugins.components.get(IMPORTER, name).model_types
    ]
    who = f"{', '.join(others)} reads that" if others else "no importer reads that"
    raise CheckpointError(
        f"`{folder / CONFIG}` has the `model_type` {found!r}, and `{params.component_name}` reads "
        f"{', '.join(map(repr, params.model_types))}; {who}."
    )


def _check_symbols(folder: Path, published: Published, spec: ModelSpec) -> None:
    symbols = published.symbols
    if symbols is not None and len(symbols) != spec.vocab_size:
        raise CheckpointError(
            f"`{folder / VOCABULARY}` has {len(symbols)} symbols, and `{CONFIG}` has "
            f"`vocab_size` {spec.vocab_size}; an index without a symbol means nothing."
        )


def _said_of_symbols(folder: Path, published: Published, spec: ModelSpec) -> str:
    frontend = None if spec.frontend is None else spec.frontend.type
    if published.symbols is None:
        has = "no frontend" if frontend is None else f"the frontend `{frontend}`, as was asked for"
        return f"`{folder}` has no `{VOCABULARY}`, so the checkpoint has {has}"
    count = f"the {len(published.symbols)} symbols of `{VOCABULARY}`"
    return f"the frontend `{frontend}` has {count}" if frontend else f"no frontend has {count}"

"""Reading a recipe: a file, and flags that win over it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from kokoro_core.spec.problems.problem import Problem, SpecError
from kokoro_core.spec.pydantic_errors import field_problem
from kokoro_core.spec.text.document import Document, from_mapping
from kokoro_core.spec.text.overrides import Override, apply_overrides
from kokoro_core.spec.text.parse import parse
from kokoro_plugins.training.commands.recipe_model import MODELS, RecipeBase, RecipeKind
from kokoro_plugins.training.settings import EVERY_STAGE, TrainingEnd
from registry import Plugins
from registry.text import suggestion

ENDS = tuple(vars(TrainingEnd()))
"""Of a training; a flag that gives one stands for all of the file's."""


def read_recipe_file(file: Path | None) -> Document:
    """Return the document of a recipe file; None: an empty one.

    Raises:
        SpecError: It cannot be read as YAML, or is no mapping.
        OSError: There is none.
    """
    if file is None:
        return from_mapping({}, "<options>")
    document = parse(file.read_bytes(), str(file))
    if not isinstance(document.value, Mapping):
        message = "a recipe is a mapping with keys such as 'spec', 'data' and 'optimizer'"
        raise SpecError([*document.problems, document.problem("wrong-type", (), message)])
    return document


def with_flags(document: Document, flags: Iterable[Override], plugins: Plugins) -> Document:
    """Return the document with the values of flags in it."""
    flags = [*flags]
    if any(each.path[0] in ENDS for each in flags):
        kept = {name: each for name, each in document.value.items() if name not in ENDS}
        document = replace(document, value=kept)
    document = apply_overrides(document, flags, plugins.components)
    corpus = document.value.get("data", {})
    corpus = corpus.get("corpus") if isinstance(corpus, Mapping) else None
    if isinstance(corpus, Mapping) and "type" not in corpus:
        data = {**document.value["data"], "corpus": {"type": "folder", **corpus}}
        document = replace(document, value={**document.value, "data": data})
    return document


def check_recipe(document: Document, plugins: Plugins, kind: RecipeKind = MODELS) -> RecipeBase:
    """Return the recipe that a document describes.

    Raises:
        SpecError: It has problems; the error has all of them, each with its place.
    """
    registry = plugins.components
    problems = [*document.problems]
    try:
        recipe = kind.model.model_validate(document.value, context={"registry": registry})
    except ValidationError as error:
        said = error.errors(include_url=False)
        problems += [field_problem(each, document, registry, kind.model) for each in said]
    if problems:
        raise SpecError(sorted(problems, key=_in_order))
    return recipe


def check_with_spec(
    document: Document,
    recipe: RecipeBase,
    unknown: Iterable[tuple[str, str]],
    stages: Collection[str],
) -> None:
    """Refuse what the training of a spec's model has no use for.

    Args:
        document: Of the recipe.
        recipe: As it was read.
        unknown: Losses of its schedule that there are not, and what is wrong with each.
        stages: Those of the training.

    Raises:
        SpecError: The recipe schedules a loss that the model does not have, or has an optimizer or
            a schedule for a stage that the training does not have.
    """
    found = [(("loss_schedule", name), what) for name, what in unknown]
    for key in ("optimizer", "schedule"):
        for name in {*getattr(recipe, key)} - {*stages, EVERY_STAGE}:
            found.append(((key, name), f"no such stage{_meant(name, stages)}"))
    if found:
        raise SpecError(
            document.problem("unknown-field", path, what, at_key=True) for path, what in found
        )


def _in_order(problem: Problem) -> tuple[int, int]:
    place = problem.position
    return (1 << 31, 0) if place is None else (place.line, place.column)


def _meant(name: str, stages: Collection[str]) -> str:
    if {*stages} == {EVERY_STAGE}:
        return "; without an objective there is one, without a name"
    return suggestion(name, stages) or f"; the objective has {', '.join(stages)}"

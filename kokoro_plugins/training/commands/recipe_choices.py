"""From a recipe to the settings of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from kokoro_core.cli.from_settings import Given
from kokoro_core.params.component import ComponentParams
from kokoro_plugins.training.commands.recipe_model import MODELS, OF_A_CALL, RecipeBase, RecipeKind
from kokoro_plugins.training.settings import EVERY_STAGE, OPTIMIZERS, WrongSetting

Params = TypeVar("Params", bound=ComponentParams)


def given_by(recipe: RecipeBase, kind: RecipeKind = MODELS) -> Given:
    """Return the options that a recipe gives, by the names of their fields."""
    found: dict[str, Any] = {}
    for name, (*section, key) in kind.paths.items():
        holder = getattr(recipe, "data", None) if section == ["data"] else recipe
        value = getattr(holder, key, None)
        if value is not None and name not in OF_A_CALL:
            found[name] = value
    return Given(found)


def updates_of(recipe: RecipeBase) -> dict[str, Any]:
    """Return what moves the weights, by the names of the fields of `TrainingSettings`.

    An optimizer without a rate of its own has that of `lr`, and a schedule without a warm-up of its
    own that of `warmup`.

    Raises:
        WrongSetting: The recipe gives a rate or a warm-up that nothing takes.
    """
    name = _bare_name(recipe.optimizer)
    optimizers = {} if name else _with(recipe, recipe.optimizer, "lr", "lr")
    schedules = _with(recipe, recipe.schedule, "warmup", "warmup_steps")
    return {
        **({"optimizer": name} if name else {}),
        "optimizers": optimizers,
        "schedules": schedules,
        "objective": recipe.objective,
        "loss_schedule": dict(recipe.loss_schedule),
        "freeze": recipe.freeze,
        "rates": dict(recipe.rate),
    }


def _bare_name(optimizer: Mapping[str, ComponentParams]) -> str | None:
    """Return the name of an optimizer for all stages of which nothing else is said."""
    params = optimizer.get(EVERY_STAGE)
    if params is None or len(optimizer) > 1 or params.model_fields_set - {"type"}:
        return None
    return params.type if params.type in OPTIMIZERS else None


def _with(
    recipe: RecipeBase, chosen: Mapping[str, Params], key: str, field: str
) -> dict[str, Params]:
    """Return components with the value of a key of the recipe where they have none of their own."""
    value = getattr(recipe, key)
    taken = {
        stage: each
        for stage, each in chosen.items()
        if field in type(each).model_fields and field not in each.model_fields_set
    }
    if value is None:
        return dict(chosen)
    if EVERY_STAGE in chosen and not taken:
        what = (
            f"nothing takes it: `{chosen[EVERY_STAGE].type}` has its own or none; leave `{key}` "
            f"out, or set `{field}` there."
        )
        raise WrongSetting(f"`{key}` is {value}, but {what}", (key,), "inconsistent", what)
    filled = {stage: each.model_copy(update={field: value}) for stage, each in taken.items()}
    return {**chosen, **filled}

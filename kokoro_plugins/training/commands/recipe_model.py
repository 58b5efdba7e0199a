"""What a recipe says: the options of a command by the names of their flags, and more.

The options are those that the settings classes declare, so that a new one is in recipes too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, get_args, get_type_hints

from pydantic import (
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationInfo,
    WrapValidator,
    create_model,
)

from kokoro_core.cli.from_settings import flag_of, option_of
from kokoro_core.params.component import ComponentParams, StrictModel
from kokoro_core.slots import CorpusParams, ObjectiveParams, OptimizerParams, ScheduleParams
from kokoro_plugins.training.recipe.loss_schedule import Ramp
from kokoro_plugins.training.settings import (
    EVERY_STAGE,
    LoggerName,
    Saving,
    TrainingEnd,
    TrainingSettings,
    TrainOptions,
)
from kokoro_plugins.training.vocoder.settings import VocoderOptions, WaveLossWeights

OF_A_CALL = ("resume", "allow_inexact", "data", "corpus")
"""Options that are no part of a recipe, or that it has in another form."""


def _named(value: Any) -> Any:
    """Return the component that a bare name means."""
    return {"type": value} if isinstance(value, str) else value


def _by_stage(base: type[ComponentParams]) -> Callable[[Any, Any, ValidationInfo], Any]:
    """Return what reads one component for all stages, or one for each by name."""

    def read(value: Any, handler: Any, info: ValidationInfo) -> Any:
        value = _named(value)
        if isinstance(value, Mapping) and "type" in value:
            one = TypeAdapter(base).validate_python(value, context=info.context)
            return {EVERY_STAGE: one}
        if isinstance(value, Mapping):
            value = {stage: _named(each) for stage, each in value.items()}
        return handler(value)

    return read


class RecipeBase(StrictModel):
    """What makes a training; what makes the model stands in its spec.

    Attributes:
        spec: A spec file or a named spec.
        set: Overrides of the spec's settings, by dotted path.
        out: The folder to write.
        optimizer: What moves the weights: a component, its name, or one for each stage by name.
        schedule: The course of the learning rate, likewise.
        objective: What is trained for beside the model's own loss.
        loss_schedule: When losses of the model come in, by their full names.
        on_bad_step: ``stop`` or ``skip:N``.
        threads: CPU threads.
        freeze: Patterns of the names of parameters that stay as they are.
        rate: What the learning rate is multiplied by for parameters that a pattern means.
        loggers: Where the training is logged to.
    """

    spec: str | None = None
    set: Mapping[str, Any] = Field(default_factory=dict)
    out: str | None = None
    optimizer: Annotated[
        Mapping[str, OptimizerParams], WrapValidator(_by_stage(OptimizerParams))
    ] = Field(default_factory=dict)
    schedule: Annotated[Mapping[str, ScheduleParams], WrapValidator(_by_stage(ScheduleParams))] = (
        Field(default_factory=dict)
    )
    objective: Annotated[ObjectiveParams | None, BeforeValidator(_named)] = None
    loss_schedule: Mapping[str, Ramp] = Field(default_factory=dict)
    on_bad_step: str = "stop"
    threads: int | None = Field(default=None, ge=1, le=1024)
    freeze: Annotated[tuple[str, ...], Field(strict=False)] = ()
    rate: Mapping[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    loggers: Annotated[tuple[LoggerName, ...], Field(strict=False)] = ()


class ModelRecipe(RecipeBase):
    """What makes the training of an acoustic model.

    Attributes:
        fresh: Beginnings of the names of parameters that start anew although ``from`` has them.
    """

    fresh: Annotated[tuple[str, ...], Field(strict=False)] = ()


class VocoderRecipe(RecipeBase):
    """What makes the training of a vocoder.

    Attributes:
        mels_of: The checkpoint of an acoustic model whose mels are read.
        loss: What each loss counts.
    """

    mels_of: str | None = None
    loss: WaveLossWeights = WaveLossWeights()


class DataBase(StrictModel):
    """What is trained on.

    Attributes:
        corpus: With its ``type``; without one it is a ``folder``.
    """

    corpus: CorpusParams | None = None


def key_of(name: str, hint: Any) -> str:
    """Return what an option is called in a recipe: its flag without dashes in front."""
    return flag_of(name, hint)[2:].replace("-", "_")


def options(*classes: type, only: Collection[str] = (), without: Collection[str] = ()) -> Any:
    """Return the fields of a model for the options of settings classes; None: nothing is said."""
    found: dict[str, Any] = {}
    for cls in classes:
        hints = get_type_hints(cls, include_extras=True)
        for each in fields(cls):
            option = option_of(hints[each.name])
            chosen = each.name in only if only else each.name not in without
            if option is None or option.help is None or not chosen:
                continue
            limits = Field(default=None, ge=option.min, le=option.max, description=option.help)
            kind = get_args(hints[each.name])[0]
            found[key_of(each.name, hints[each.name])] = (kind | None, limits)
    return found


@dataclass(frozen=True)
class RecipeKind:
    """The recipes of a command.

    Attributes:
        data: The form of the section `data`.
        model: The form of the whole.
        paths: Where in a recipe the value of each option stands, by the name of its field.
    """

    data: type[DataBase]
    model: type[RecipeBase]
    paths: Mapping[str, tuple[str, ...]]


def recipe_kind(base: type[RecipeBase], settings: type, of_data: Collection[str]) -> RecipeKind:
    """Return the recipes of a command.

    Args:
        base: What its recipes say beside options.
        settings: Options of its own, beside those of every training.
        of_data: Which of them stand in the section `data`.
    """
    data = create_model("Data", __base__=DataBase, **options(settings, only=of_data))
    classes = (settings, TrainingEnd, TrainingSettings, Saving)
    own: dict[str, Any] = {
        "data": (data | None, None),
        "from": (str | None, Field(None, description="A checkpoint to begin with.")),
        **options(*classes, without=(*of_data, *OF_A_CALL)),
    }
    paths = {
        "data": ("data", "corpus", "path"),
        "corpus": ("data", "corpus", "type"),
        **{
            each.name: (
                *(["data"] if each.name in of_data else []),
                key_of(each.name, hints[each.name]),
            )
            for cls in classes
            for hints in [get_type_hints(cls, include_extras=True)]
            for each in fields(cls)
            if option_of(hints[each.name]) is not None and each.name not in OF_A_CALL
        },
    }
    return RecipeKind(data, create_model("Recipe", __base__=base, **own), paths)


MODELS = recipe_kind(ModelRecipe, TrainOptions, ("batch_frames", "holdout", "workers"))
VOCODERS = recipe_kind(
    VocoderRecipe,
    VocoderOptions,
    ("rows", "crop_frames", "holdout", "workers"),
)

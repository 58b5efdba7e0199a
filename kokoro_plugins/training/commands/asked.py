"""What a call of `train` asks for: a recipe, and the options that win over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import typer

from kokoro_core import ModelSpec
from kokoro_core.cli.corpus_settings import read_corpus_settings
from kokoro_core.cli.from_settings import Given
from kokoro_core.cli.toolkit import print_note
from kokoro_core.params.sizes import MAX_PARAMETERS
from kokoro_core.spec.load import Source, load, read_document
from kokoro_core.spec.problems.problem import SpecError, dotted
from kokoro_core.spec.text.document import Document
from kokoro_core.spec.text.overrides import (
    Override,
    apply_overrides,
    overrides_from_mapping,
    overrides_from_text,
)
from kokoro_core.spec.text.parse import parse
from kokoro_plugins.training.commands.options import read_bad_step
from kokoro_plugins.training.commands.recipe_choices import given_by, updates_of
from kokoro_plugins.training.commands.recipe_file import (
    check_recipe,
    check_with_spec,
    read_recipe_file,
    with_flags,
)
from kokoro_plugins.training.commands.recipe_model import (
    MODELS,
    ModelRecipe,
    RecipeBase,
    RecipeKind,
)
from kokoro_plugins.training.output import RECIPE_FILE
from kokoro_plugins.training.recipe.loss_schedule import unknown_losses
from kokoro_plugins.training.resume.starting import default_out
from kokoro_plugins.training.settings import Saving, TrainingSettings, TrainOptions, WrongSetting
from registry import Plugins

SHARED = ("device", "precision", "devices", "nodes")
"""Settings of the machine, which all contenders of a comparison share."""


@dataclass(frozen=True)
class Call:
    """What stands on the command line.

    Attributes:
        recipe: The file; None: the one in the folder of a training that goes on, if there is one.
        resume: Whether it goes on.
        options: Those given of the settings classes, by the names of their fields.
        others: Further options by their keys in a recipe; None: not given.
        components: Those given as a text, likewise.
        corpus_settings: Texts such as ``cache_mib=2048``.
        spec_settings: Texts such as ``hidden_dim=256``.
        lists: Options that may be given several times, by their keys in a recipe.
        rates: Texts such as ``encoder=0.1``.
        kind: The recipes of the command.
        suffix: What the name of the folder ends with that a training has of its spec.
    """

    recipe: Path | None
    resume: bool
    options: Mapping[str, Any]
    others: Mapping[str, Any]
    components: Mapping[str, str | None]
    corpus_settings: Sequence[str]
    spec_settings: Sequence[str]
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rates: Sequence[str] = ()
    kind: RecipeKind = MODELS
    suffix: str = ""

    def flags(self) -> Iterator[Override]:
        """Yield each as a change of the recipe."""
        paths = self.kind.paths
        for name, value in self.options.items():
            if name in paths:
                yield Override(paths[name], value, f"--{paths[name][-1].replace('_', '-')} {value}")
        for name, value in self.others.items():
            if value is not None:
                plain = str(value) if isinstance(value, Path) else value
                yield Override(
                    paths.get(name, (name,)), plain, f"--{name.replace('_', '-')} {plain}"
                )
        for name, text in self.components.items():
            if text is not None:
                yield Override((name,), _component(name, text), f"--{name} {text}")
        for text in self.corpus_settings:
            [(name, value)] = read_corpus_settings([text]).items()
            yield Override(("data", "corpus", name), value, f"--corpus-set {text}")
        for key, value in self.lists.items():
            if value:
                flag = "logger" if key == "loggers" else key
                yield Override((key,), [*value], f"--{flag} {' '.join(value)}")
        for text in self.rates:
            yield _rate(text)
        for each in self.spec_overrides():
            yield Override(("set", dotted(each.path)), each.value, each.origin)

    def spec_overrides(self) -> list[Override]:
        """Return the changes of the spec."""
        return overrides_from_text(self.spec_settings)


def _rate(text: str) -> Override:
    pattern, _, factor = text.rpartition("=")
    try:
        return Override(("rate", pattern), float(factor), f"--rate {text}")
    except ValueError:
        what = "PART=FACTOR, for example `encoder=0.1`"
        raise ValueError(f"`--rate {text}` must be {what}.") from None


def _component(name: str, text: str) -> Any:
    document = parse(text, f"--{name} {text}")
    if document.problems:
        raise SpecError(document.problems)
    return document.value


@dataclass(frozen=True)
class Asked:
    """A recipe with what a call changes in it.

    Attributes:
        document: Its values, and where they stand.
        recipe: As they were read.
        call: What stands on the command line.
        plugins: Where components come from.
    """

    document: Document
    recipe: RecipeBase
    call: Call
    plugins: Plugins

    @property
    def given(self) -> Given:
        """The options that it gives."""
        return given_by(self.recipe, self.call.kind)

    def spec(self) -> ModelSpec:
        """Return the spec of the model.

        Raises:
            ValueError: None is named.
            SpecError: It has problems.
        """
        return load(self._source(), self._overrides(), self.plugins, MAX_PARAMETERS, print_note)

    def spec_document(self) -> Document:
        """Return the values of that spec, and where they stand."""
        document = read_document(self._source(), self.plugins)
        return apply_overrides(document, self._overrides(), self.plugins.components)

    def _overrides(self) -> list[Override]:
        """Return the changes of the spec: those of the recipe, and of the call, which win."""
        own = self.call.spec_overrides()
        of_call = {dotted(each.path) for each in own}
        of_file = [
            each for path in self.recipe.set if path not in of_call for each in self._set(path)
        ]
        return [*of_file, *own]

    def _source(self) -> Source:
        """Return the spec as it is named, or without a name that of the checkpoint to begin with.

        Raises:
            ValueError: Neither is named.
            CheckpointError: The checkpoint is damaged or none.
        """
        if self.recipe.spec is not None:
            return self.recipe.spec
        checkpoint = path_of(getattr(self.recipe, "from"))
        if checkpoint is None:
            raise ValueError(
                "Training needs a model: give a SPEC, `spec` in a `--recipe`, or `--from "
                "CHECKPOINT`, whose spec is taken if no other is named."
            )
        from kokoro_plugins.training.beginning import spec_of_beginning

        goes_on = self.call.resume and self.recipe.out is not None
        steps = Path(self.recipe.out or "") / "steps" if goes_on else None
        return spec_of_beginning(checkpoint, steps, self.plugins)

    def _set(self, path: str) -> list[Override]:
        """Return a change of the spec that the recipe has, with its place."""
        source, position = self.document.locate(("set", path), at_key=True)
        try:
            changes = overrides_from_mapping({path: self.recipe.set[path]})
        except SpecError as error:
            what = error.problems[0].message
            problem = self.document.problem("bad-override", ("set", path), what, at_key=True)
            raise SpecError([problem]) from None
        if position is None:
            return changes
        return [replace(e, origin=f"{source}:{position.line}:{position.column}") for e in changes]

    @contextmanager
    def located(self) -> Iterator[None]:
        """Give wrong settings that stand in the recipe's file their place there.

        Raises:
            SpecError: There is one.
        """
        try:
            yield
        except WrongSetting as error:
            at = error.path
            _, position = self.document.locate(at)
            if position is None:
                raise
            raise SpecError(
                [self.document.problem(error.code, at, error.said.rstrip("."))]
            ) from None

    def options(self, spec: ModelSpec) -> TrainOptions:
        """Return what the training of a spec's model does.

        Raises:
            ValueError: No data is named, or an option is out of range.
            SpecError: The recipe has what the model has no use for.
        """
        assert isinstance(self.recipe, ModelRecipe)
        shared = self.shared(spec)
        training = self.given.make(TrainingSettings, **self.training())
        self._check(spec, training)
        return self.given.make(
            TrainOptions,
            settings=training,
            fresh=self.recipe.fresh,
            **shared,
        )

    def training(self) -> dict[str, Any]:
        """Return what of the settings of training is no option, by the names of the fields.

        Raises:
            ValueError: The recipe gives a rate or a warm-up that nothing takes.
        """
        skipped = read_bad_step(self.recipe.on_bad_step)
        return {"skip_bad_steps": skipped, **updates_of(self.recipe)}

    def shared(self, spec: ModelSpec) -> dict[str, Any]:
        """Return what every training is told beside its settings, by the names of the fields.

        Raises:
            ValueError: No data is named, or an option is out of range.
        """
        corpus = getattr(getattr(self.recipe, "data", None), "corpus", None)
        if corpus is None:
            raise ValueError(
                "Training needs data: `--data FOLDER`, or `data: {corpus: {type: …}}` in a "
                "`--recipe`."
            )
        named = f"{spec.name}{self.call.suffix}"
        out = Path(self.recipe.out) if self.recipe.out else default_out(named)
        own = corpus.model_fields_set - {"type", "path"}
        return {
            "data": path_of(getattr(corpus, "path", None)),
            "corpus": corpus.type,
            "corpus_settings": {name: getattr(corpus, name) for name in own},
            "out": out,
            "saving": self.given.make(
                Saving,
                folder=out / "steps",
                losses=out / "losses.jsonl",
                resume=self.call.resume,
                allow_inexact=self.call.options.get("allow_inexact", False),
            ),
            "recipe": {name: each for name, each in self.document.value.items() if name != "out"},
            "checkpoint": path_of(getattr(self.recipe, "from")),
            "loggers": self.recipe.loggers,
        }

    def fields(self, spec: ModelSpec) -> dict[str, Any]:
        """Return how a spec's model is trained, as far as it is said: what decides how good it is.

        Raises:
            ValueError: An option is out of range.
            SpecError: The recipe has what the model has no use for.
        """
        given = {
            name: each
            for name, each in self.given.values.items()
            if name in (*vars(TrainingSettings()), "batch_frames") and name not in SHARED
        }
        fields = {**given, **updates_of(self.recipe)}
        training = {name: each for name, each in fields.items() if name != "batch_frames"}
        self._check(spec, TrainingSettings(**training))
        return fields

    def _check(self, spec: ModelSpec, training: TrainingSettings) -> None:
        stages: tuple[str, ...] = ()
        if self.recipe.optimizer or self.recipe.schedule:
            from kokoro_plugins.training.loop.stages import stages_of

            stages = stages_of(training, spec.sizes)
        unknown = unknown_losses(spec, self.recipe.loss_schedule)
        check_with_spec(self.document, self.recipe, unknown, stages)


def path_of(text: str | None) -> Path | None:
    """Return a path that may be given."""
    return None if text is None else Path(text)


def asked_for(call: Call, plugins: Plugins) -> Asked:
    """Return what a call asks for.

    Raises:
        SpecError: The recipe or an option has problems.
        ValueError: An option is none.
    """
    file = call.recipe or (_saved_recipe(call, plugins) if call.resume else None)
    document = with_flags(read_recipe_file(file), call.flags(), plugins)
    return Asked(document, check_recipe(document, plugins, call.kind), call, plugins)


def _saved_recipe(call: Call, plugins: Plugins) -> Path | None:
    """Return the recipe in the folder of a training that goes on, if it has one."""
    out, spec = call.others.get("out"), call.others.get("spec")
    if out is None and spec is not None:
        named = load(spec, call.spec_overrides(), plugins, MAX_PARAMETERS).name
        out = default_out(f"{named}{call.suffix}")
    found = None if out is None else Path(out) / RECIPE_FILE
    return found if found is not None and found.is_file() else None


def explicit(ctx: typer.Context, given: Given) -> dict[str, Any]:
    """Return the options that stand on the command line, without those at their defaults."""
    sources = {name: ctx.get_parameter_source(name) for name in given.values}
    return {
        name: value
        for name, value in given.values.items()
        if (source := sources[name]) is not None and not source.name.startswith("DEFAULT")
    }

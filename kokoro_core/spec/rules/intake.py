"""What a part of a model is given by keyword: who makes it, and who must give the rest.

The model makes some itself: the plan, noise, an encoder's parts and the embeddings of conditioners.
The others are features, which the corpus brings in training and the caller gives in speaking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from kokoro_core.params.component import ComponentParams, declared, owner_of
from kokoro_core.params.component_failure import ComponentFailure, attribute_errors_to, returned
from kokoro_core.params.features import Feature, Per
from kokoro_core.params.options import Option
from kokoro_core.slots import MODEL_SLOTS, AdaptorParams, EncoderParams, short_name
from kokoro_core.spec.problems.problem import Path
from kokoro_core.spec.rules.wiring import parts_of, path_of_part
from kokoro_core.spec.tree.model_spec import ModelSpec

ENCODER_HIDDEN = "encoder_hidden"
"""The encoder's hidden vectors with the conditioners added, for parts that come later."""

REFERENCE, REFERENCE_MASK = "reference", "reference_padding_mask"
"""A recording (B, R, M) and its mask (B, R) bool; in training the target itself."""

LATENTS = "latents"
"""What the decoder maps the true mel to, where it says that it does; None in speaking."""

FROM_THE_MODEL = frozenset({"plan", "noise"})
"""Side inputs that every model makes itself."""

_PER_OF_ADAPTORS: Mapping[str, Per] = {"token_adaptors": "phoneme", "frame_adaptors": "frame"}


@dataclass(frozen=True)
class Target:
    """The feature that an adaptor learns from.

    Attributes:
        name: Of the feature.
        feature: Its form as the adaptor takes it.
        averaged: Whether it is given for frames and averaged over those of each phoneme.
    """

    name: str
    feature: Feature
    averaged: bool = False

    @property
    def given(self) -> Feature:
        """The form in which it comes from outside the model."""
        return replace(self.feature, per="frame") if self.averaged else self.feature


@dataclass(frozen=True)
class Intake:
    """What a part is given by keyword.

    Attributes:
        needs: Names that it gets in all entry points.
        features: The form of those that the corpus or the caller gives.
        target: What it learns from, or None.
        options: The numbers with which it speaks.
    """

    needs: frozenset[str] = frozenset()
    features: Mapping[str, Feature] = field(default_factory=dict)
    target: Target | None = None
    options: Mapping[str, Option] = field(default_factory=dict)

    def given(self, offered: frozenset[str]) -> dict[str, Feature | None]:
        """Return the names that come from outside the model; None is of an unknown form."""
        names: dict[str, Feature | None] = dict.fromkeys(sorted(self.needs - offered))
        names |= {name: each for name, each in self.features.items() if name not in offered}
        return names if self.target is None else names | {self.target.name: self.target.given}


def intake_of(spec: ModelSpec, place: str) -> Intake:
    """Return what the part at a place is given by keyword.

    Raises:
        ComponentFailure: It raised when it was asked, or returned something else than names.
    """
    part, path = parts_of(spec)[place], path_of_part(place)
    with attribute_errors_to(part, path, "features"):
        features = dict(declared(part, "features", {}))
    with attribute_errors_to(part, path, "options"):
        options = dict(declared(part, "options", {}))
    needs = needs_of(part, path) | features.keys()
    return Intake(needs, features, _target_of(spec, part, place), options)


def needs_of(component: ComponentParams, path: Path) -> frozenset[str]:
    """Return the names of the side inputs that a component takes.

    Raises:
        ComponentFailure: It raised, or returned something else than names.
    """
    with attribute_errors_to(component, path, "needs"):
        needs = component.needs
        names = frozenset() if isinstance(needs, str) else frozenset(needs)
    if isinstance(needs, str) or not all(isinstance(each, str) for each in names):
        what = returned(needs, "a set of names, from `needs`")
        raise ComponentFailure(path, owner_of(type(component)), what)
    return names


def _target_of(spec: ModelSpec, part: ComponentParams, place: str) -> Target | None:
    if not isinstance(part, AdaptorParams):
        return None
    with attribute_errors_to(part, path_of_part(place), "target"):
        feature = declared(part, "target", None)
    if feature is None:
        return None
    key = place.partition(".")[0]
    name = getattr(part, "feature", None) or short_name(place)
    described = spec.features.get(name)
    per = _PER_OF_ADAPTORS[key]
    averaged = per == "phoneme" and described is not None and described.per == "frame"
    return Target(name, replace(feature, per=per, when="training"), averaged)


def encoder_parts(spec: ModelSpec) -> Mapping[str, int]:
    """Return the width of each part that the encoder gives beside its hidden vectors.

    Raises:
        ComponentFailure: The encoder raised when it was asked, or returned something else.
    """
    encoder = spec.encoder
    if type(encoder).gives_parts is EncoderParams.gives_parts:
        return {}
    with attribute_errors_to(encoder, ("encoder",), "gives_parts"):
        parts = dict(encoder.gives_parts(spec.sizes))
        rightly = all(isinstance(n, str) and isinstance(w, int) for n, w in parts.items())
    if not rightly:
        what = returned(parts, "widths by name, from `gives_parts`")
        raise ComponentFailure(("encoder",), owner_of(type(encoder)), what)
    return parts


def gives_latents(spec: ModelSpec) -> bool:
    """Return whether the decoder maps the true mel to latents.

    Raises:
        ComponentFailure: It raised when it was asked.
    """
    with attribute_errors_to(spec.decoder, ("decoder",), "gives_latents"):
        return bool(declared(spec.decoder, "gives_latents", False))


def embedding_name(conditioner: str) -> str:
    """Return the name by which parts need the vector of a conditioner."""
    return f"{conditioner}_embedding"


def offered(spec: ModelSpec) -> dict[str, str]:
    """Return what the model makes by name, each with the key after which it is there."""
    made = {"noise": "", "plan": "regulator", ENCODER_HIDDEN: "encoder"}
    made |= {embedding_name(name): "conditioners" for name in spec.conditioners}
    made |= {LATENTS: "encoder"} if gives_latents(spec) else {}
    return made | dict.fromkeys(encoder_parts(spec), "encoder")


def intakes(spec: ModelSpec) -> dict[str, Intake]:
    """Return for each part of a model what it is given by keyword."""
    return {place: intake_of(spec, place) for place in parts_of(spec)}


def given_features(spec: ModelSpec) -> Iterator[tuple[str, str, Feature | None]]:
    """Yield (place, name, form) of all that the corpus or the caller must give a model's parts."""
    made = frozenset(offered(spec))
    for place, intake in intakes(spec).items():
        for name, feature in intake.given(made).items():
            yield place, name, feature


def features_for_training(spec: ModelSpec) -> dict[str, Feature]:
    """Return the form of the features that a corpus must have for a model to be trained on it."""
    return {name: feature for _, name, feature in _learned_from(spec)}


def places_of_features(spec: ModelSpec) -> dict[str, str]:
    """Return the features that a corpus must have, each with the first part that learns from it."""
    places: dict[str, str] = {}
    for place, name, _ in _learned_from(spec):
        places.setdefault(name, place)
    return places


def _learned_from(spec: ModelSpec) -> Iterator[tuple[str, str, Feature]]:
    own = {REFERENCE, REFERENCE_MASK}  # in training the target itself
    for place, name, feature in given_features(spec):
        if feature is not None and feature.is_required(training=True) and name not in own:
            yield place, name, feature


def comes_later(place: str, after: str) -> bool:
    """Return whether what is there after a key comes too late for a place."""
    keys = list(MODEL_SLOTS)
    return bool(after) and keys.index(place.partition(".")[0]) <= keys.index(after)

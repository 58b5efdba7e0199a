"""`Wiring`: what each part of a model is given by keyword, and what its own losses are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from kokoro_core.params.features import Feature
from kokoro_core.slots import ConditionerParams, short_name
from kokoro_core.spec.rules.dimensions import component_sizes
from kokoro_core.spec.rules.intake import (
    ENCODER_HIDDEN,
    FROM_THE_MODEL,
    LATENTS,
    REFERENCE,
    REFERENCE_MASK,
    Intake,
    embedding_name,
    encoder_parts,
    gives_latents,
    intakes,
)
from kokoro_core.spec.rules.own_losses import REPLACED_UNSAID, losses_of, replaced_by
from kokoro_core.spec.rules.waves import gives_wave
from kokoro_core.spec.rules.wiring import parts_of, path_of_part
from kokoro_core.spec.tree.model_spec import ModelSpec


@dataclass(frozen=True)
class OwnLosses:
    """What a part declares of its own losses.

    Attributes:
        names: Those that it may return; None: any, under their bare names.
        replaces: The losses of the framework's that they stand for.
    """

    names: frozenset[str] | None = None
    replaces: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Wiring:
    """What the parts of a model are given by keyword, and what they give by name.

    Attributes:
        intakes: What each part is given, by place.
        parts: The width of each part that the encoder gives beside its hidden vectors.
        widths: The width of each conditioner's vector.
        added: The conditioners whose vector is added to the hidden vectors.
        losses: What each part declares of its own losses, by place.
        samples: Of each frame, if the decoder gives a waveform; None: it gives mels.
        latents: Whether the decoder maps the true mel to latents.
    """

    intakes: Mapping[str, Intake] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)
    widths: Mapping[str, int] = field(default_factory=dict)
    added: frozenset[str] = frozenset()
    losses: Mapping[str, OwnLosses] = field(default_factory=dict)
    samples: int | None = None
    latents: bool = False

    @property
    def offered(self) -> frozenset[str]:
        """The names of all that the model makes itself."""
        embeddings = map(embedding_name, self.widths)
        latents = {LATENTS} if self.latents else set()
        return FROM_THE_MODEL | {ENCODER_HIDDEN, *self.parts, *embeddings, *latents}

    def given(self) -> dict[str, Feature | None]:
        """Return what comes from outside the model; None is of an unknown form."""
        offered = self.offered
        return {
            name: feature
            for intake in self.intakes.values()
            for name, feature in intake.given(offered).items()
        }

    def required(self, *, training: bool) -> frozenset[str]:
        """Return the names that must be given in training, or in speaking."""
        names = {
            name
            for name, feature in self.given().items()
            if feature is None or feature.is_required(training=training)
        }
        return frozenset(names - {REFERENCE, REFERENCE_MASK} if training else names)

    def is_needed(self, name: str) -> bool:
        """Return whether a part is given something by this name."""
        return any(name in intake.needs for intake in self.intakes.values())

    def is_given_frames(self, place: str) -> bool:
        """Return whether a part is given something of all frames that the model makes."""
        needs = self.intakes[place].needs if place in self.intakes else frozenset()
        return not needs.isdisjoint(FROM_THE_MODEL | {ENCODER_HIDDEN, *self.parts})

    def pick(
        self, place: str, available: Mapping[str, Any], *, early: bool = False
    ) -> dict[str, Any]:
        """Return exactly the side inputs and options that a part is given.

        Its noise is a stream of its own; a feature that is not there has its default; options are
        there in speaking alone.

        Args:
            place: Of the part.
            available: All side inputs by name.
            early: Leave out what is not there before the encoder.
        """
        intake = self.intakes.get(place)
        if intake is None:
            return {}
        late = {"plan", LATENTS, ENCODER_HIDDEN, *self.parts} if early else set()
        wanted = {
            name: available[name]
            if name in available or name not in intake.features
            else intake.features[name].default
            for name in sorted(intake.needs - late)
        }
        if "noise" in wanted:
            wanted["noise"] = wanted["noise"].of(place)
        short = short_name(place)
        options = {name: available.get(f"{short}.{name}") for name in intake.options}
        return wanted | {name: value for name, value in options.items() if value is not None}

    def named(self, place: str, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return a part's own losses by the names that they have in the model.

        Raises:
            ValueError: It declares its losses, and this is not among them.
        """
        names = self.losses.get(place, OwnLosses()).names
        if names is None:
            return dict(losses)
        for name in losses.keys() - names:
            raise ValueError(
                f"`{place}` returned a loss `{name}`, which its params do not declare in "
                f"`losses`; they declare {sorted(names)}."
            )
        return {f"{short_name(place)}.{name}": loss for name, loss in losses.items()}

    def replaced(self, place: str) -> frozenset[str]:
        """Return the losses of the framework's that a part's own stand for."""
        found = self.losses.get(place)
        return REPLACED_UNSAID.get(place, frozenset()) if found is None else found.replaces


def wiring_of(spec: ModelSpec) -> Wiring:
    """Return the wiring of the model that a spec describes."""
    conditioners = {
        name: part
        for name, part in spec.conditioners.items()
        if isinstance(part, ConditionerParams)
    }
    return Wiring(
        intakes=intakes(spec),
        parts=encoder_parts(spec),
        widths={
            name: part.width(component_sizes(spec, f"conditioners.{name}"))
            for name, part in conditioners.items()
        },
        added=frozenset(name for name, part in conditioners.items() if part.add),
        losses=_own_losses(spec),
        samples=spec.sizes.hop_length if gives_wave(spec.decoder) else None,
        latents=gives_latents(spec),
    )


def _own_losses(spec: ModelSpec) -> dict[str, OwnLosses]:
    found = {}
    for place, part in parts_of(spec).items():
        names = losses_of(part, path_of_part(place))
        known = None if names is None else frozenset(names)
        found[place] = OwnLosses(known, replaced_by(part, place))
    return found

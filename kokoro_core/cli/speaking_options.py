"""Options of `synthesize`: whose voice speaks, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from kokoro_core.cli.spoken_with import spoken_with

if TYPE_CHECKING:
    from kokoro_core.cli.spoken_table import Row
    from kokoro_core.spec.tree.model_spec import ModelSpec


@dataclass(frozen=True)
class SpeakingOptions:
    """How every sentence is spoken; None: as the spec says.

    Attributes:
        speed: Above 1 is faster.
        seed: Of what the model draws.
        stop_threshold: Of a stop probability.
        max_mel_len: Frames.
    """

    speed: Annotated[
        float | None, Option(help="Above 1 is faster; as the spec says if not given.")
    ] = None
    seed: Annotated[int | None, Option(help="Seed for models that sample.")] = None
    stop_threshold: Annotated[
        float | None, Option(help="A frame whose stop probability is above it is the last.")
    ] = None
    max_mel_len: Annotated[
        int | None, Option(min=1, help="Stop a sentence after this many frames.")
    ] = None

    def of_row(self, row: Row) -> dict[str, Any]:
        """Return them for a row, which may have its own speed and seed."""
        own = {"speed": row.speed, "seed": row.seed}
        return {**vars(self), **{name: each for name, each in own.items() if each is not None}}


@dataclass(frozen=True)
class VoiceOptions:
    """What a model is given beside texts.

    Attributes:
        speaker: By name.
        language: By name.
        pitch: The same as ``pitch.control=…`` in `option`.
        feature: Each ``NAME=VALUE``.
        option: Each ``PART.NAME=NUMBER``.
        reference: A recording to follow.
    """

    speaker: Annotated[str | None, Option(help="A speaker of the model, by name.")] = None
    language: Annotated[str | None, Option(help="A language of the model, by name.")] = None
    pitch: Annotated[float | None, Option(help="Times what the adaptor `pitch` predicts.")] = None
    feature: Annotated[
        list[str] | None,
        Option(
            metavar="NAME=VALUE",
            help="A feature (a number, a vector or its file), or pitch.control=1.2.",
        ),
    ] = None
    option: Annotated[
        list[str] | None,
        Option(metavar="PART.NAME=NUMBER", help="Such as decoder.temperature=0.6."),
    ] = None
    reference: Annotated[Path | None, Option(help="A wav whose voice or style is followed.")] = None

    def of_row(self, row: Row, spec: ModelSpec) -> dict[str, Any]:
        """Return the keywords of `generate` that they mean for a row with names of its own.

        Raises:
            ValueError: One is not written so, two mean the same, or the model does not take one.
        """
        return spoken_with(
            spec,
            speaker=row.speaker or self.speaker,
            language=row.language or self.language,
            features=self.feature or (),
            options=self.option or (),
            reference=self.reference,
            pitch=self.pitch,
        )

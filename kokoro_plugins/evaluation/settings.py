"""What the command `evaluate` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from typer import Option

from kokoro_plugins.evaluation.sentences import Part
from registry.text import suggestion

Beside = Literal["recordings", "true_mels", "true_durations", "aligner"]
BESIDE: tuple[Beside, ...] = get_args(Beside)
USUAL: tuple[Beside, ...] = ("recordings", "true_mels", "aligner")
"""What a model is measured beside where nobody says otherwise."""


@dataclass(frozen=True)
class EvaluationSettings:
    """What the command `evaluate` does.

    Attributes:
        data: Where the corpus is; None: it is nowhere, or there is none.
        corpus: The name of its kind; None: ``folder`` if `data` is given, else there is none.
        corpus_settings: Texts such as ``cache_mib=2048``.
        holdout: How many utterances, the last ones, were not trained on; None: as many as the
            corpus sets aside, or 10.
        texts: A file with texts that no one recorded; None: there are none.
        part: Which sentences.
        limit: The most of either source; None: all.
        beside: What the model is measured beside.
        recognizer: The recognizer's folder; None: the one that comes in a wheel.
        listens: Whether there is a recognizer.
        language: What is spoken.
        mos: Whether Distill-MOS is measured.
        remember: A file of what was heard before, to read and to add to; None: there is none.
        vocoder: A file with a vocoder that all models speak through; None: their own.
        speaker: Who speaks the texts; None: the model knows no speakers.
        options: Texts such as ``decoder.temperature=0.6``.
        spec_settings: Texts such as ``vocoder.type=griffin_lim``.
        seed: Of what a model draws.
    """

    data: Annotated[
        Path | None, Option(help="Where the corpus is, of whose held-out sentences.")
    ] = None
    corpus: Annotated[str | None, Option(help="Its kind; without it folder.")] = None
    corpus_settings: tuple[str, ...] = ()
    holdout: Annotated[
        int | None,
        Option(
            min=1,
            help="How many utterances, the last ones, were not trained on; "
            "without it those that the corpus sets aside, or 10.",
        ),
    ] = None
    texts: Annotated[
        Path | None, Option(help="Speak these texts too, one a line, that no one recorded.")
    ] = None
    part: Annotated[
        Part,
        Option("--sentences", help="Half of the sentences are for choosing between models."),
    ] = "all"
    limit: Annotated[int | None, Option(min=1, help="Take at most so many of either source.")] = (
        None
    )
    beside: tuple[Beside, ...] = USUAL
    recognizer: Path | None = None
    listens: bool = True
    language: Annotated[
        str, Option("--recognizer-language", help="What is spoken, such as en or de.")
    ] = "en"
    mos: Annotated[bool, Option(help="Measure Distill-MOS, if it is installed.")] = True
    remember: Annotated[
        Path | None,
        Option(metavar="FILE", help="Keep what was heard here; the same sound is heard once."),
    ] = None
    vocoder: Annotated[
        Path | None,
        Option(metavar="FILE", help="Speak through a vocoder that `train-vocoder` made."),
    ] = None
    speaker: Annotated[str | None, Option(help="Who speaks the texts, by name.")] = None
    options: tuple[str, ...] = ()
    spec_settings: tuple[str, ...] = ()
    seed: Annotated[int, Option(min=0, help="Of what models and bootstraps draw.")] = 0

    @property
    def has_corpus(self) -> bool:
        """Whether sentences of a corpus are spoken."""
        return self.data is not None or self.corpus is not None


def check_settings(settings: EvaluationSettings) -> None:
    """Refuse settings that leave nothing to speak, or say something of what is not there.

    Raises:
        ValueError: They do.
    """
    if not settings.has_corpus and settings.texts is None:
        raise ValueError(
            "`evaluate` needs sentences: `--data FOLDER`, the corpus whose held-out ones it takes, "
            "or `--texts FILE` with one a line."
        )
    if not settings.has_corpus and (settings.holdout or settings.corpus_settings):
        given = "holdout" if settings.holdout else "corpus-set"
        raise ValueError(f"`--{given}` is of a corpus, and none is given; add `--data FOLDER`.")
    if settings.speaker is not None and settings.texts is None:
        raise ValueError(
            "`--speaker` says who speaks the texts of `--texts`; sentences of a corpus are spoken "
            "by those who recorded them."
        )


def read_beside(text: str) -> tuple[Beside, ...]:
    """Return what a list with commas says that models are measured beside.

    Raises:
        ValueError: It has another name.
    """
    names = [] if text == "none" else [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in BESIDE]
    if unknown:
        hint = suggestion(unknown[0], BESIDE) or f"; there are {', '.join(BESIDE)} and none"
        raise ValueError(
            f"`--beside` has {unknown[0]!r}, which is nothing to measure beside{hint}."
        )
    return tuple(each for each in BESIDE if each in names)

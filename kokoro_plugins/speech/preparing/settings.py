"""How to prepare; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

Layout = Literal["ljspeech", "flat", "speakers", "vctk", "libritts", "table"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

Align = Literal["auto", "learned", "table", "textgrid", "espeak", "voice", "viterbi"]
ALIGNS: tuple[Align, ...] = get_args(Align)


@dataclass(frozen=True)
class SoundSettings:
    """How recordings are settled.

    Attributes:
        loudness: In LUFS (ITU-R BS.1770); None: as it is.
        silence: Seconds that stay at each end; None: all of it.
    """

    loudness: float | None = -23.0
    silence: float | None = 0.1

    def __post_init__(self) -> None:
        if self.loudness is not None and not -70 < self.loudness < 0:
            raise ValueError(
                f"`loudness` must be between -70 and 0 LUFS, not {self.loudness}; try -23."
            )
        if self.silence is not None and not 0 <= self.silence < 60:
            raise ValueError(
                f"`silence` must be from 0 to 60 seconds, not {self.silence}; try 0.1."
            )


@dataclass(frozen=True)
class PrepareSettings:
    """How to prepare.

    Attributes:
        layout: Of the data; None: what it looks like.
        language: Of the texts, by a code or a name of espeak-ng's; None: the spec's.
        align: Where durations come from; ``auto``: a table or TextGrids if there are any; else they
            are learned by a model that can; warped where there is a voice of the same phonemes; and
            trained from a flat start where there is none.
        checkpoint: The model that training will begin with, and that speaks the phonemes which
            ``voice`` warps; None: none.
        refine: Whether warped durations are refined by the recordings themselves.
        durations: A table of durations; None: ``durations.csv`` of the data, if it is there.
        textgrids: The folder of TextGrids; None: that of the data.
        sound: How recordings are settled.
        holdout: How many utterances are held out; None: one in twenty, at most 100.
        workers: Processes that prepare; 0: this one alone.
        leave_out: Whether what is wrong is left out; if not it ends the preparation.
        drop_worst: The share of utterances, those least like the others, that is left out.
    """

    layout: Layout | None = None
    language: str | None = None
    align: Align = "auto"
    checkpoint: Path | None = None
    refine: bool = True
    durations: Path | None = None
    textgrids: Path | None = None
    sound: SoundSettings = field(default_factory=SoundSettings)
    holdout: int | None = None
    workers: int = 0
    leave_out: bool = False
    drop_worst: float = 0.0

    def __post_init__(self) -> None:
        _check_choice("layout", self.layout, (None, *LAYOUTS))
        _check_choice("align", self.align, ALIGNS)
        for name in ("holdout", "workers"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"`{name}` must be 0 or more, not {value}.")
        if not 0 <= self.drop_worst <= MOST_DROPPED:
            raise ValueError(
                f"`drop_worst` must be from 0 to {MOST_DROPPED}, not {self.drop_worst}; try 0.01."
            )


MOST_DROPPED = 0.5
"""More of the data is not worst."""


def _check_choice(name: str, value: str | None, choices: tuple[str | None, ...]) -> None:
    if value not in choices:
        listed = ", ".join(each for each in choices if each)
        raise ValueError(f"`{name}` must be one of {listed}, not {value!r}.")

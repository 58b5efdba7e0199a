"""Speech as HTML: a player, what is missing or odd, and the mel of each sentence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kokoro_core.notebook.html import paragraph
from kokoro_core.notebook.mels import mel_html
from kokoro_core.speaking.player import player

if TYPE_CHECKING:
    from torch import Tensor

MOST_SENTENCES = 8
"""Sentences whose mels are shown."""


def speech_html(
    samples: Tensor,
    sample_rate: int,
    sentences: Iterable[tuple[str, Tensor | None]],
    remarks: Iterable[str],
) -> str:
    """Return speech as HTML.

    Args:
        samples: In [-1, 1].
        sample_rate: Samples per second.
        sentences: The text and the log mel of each sentence.
        remarks: What was not spoken, and what the frontend says of its reading.

    Shape:
        samples: (S,).
    """
    spoken = list(sentences)
    text = " ".join(said for said, _ in spoken)
    pictures = [
        paragraph(said) + ("" if mel is None else mel_html(mel))
        for said, mel in spoken[:MOST_SENTENCES]
    ]
    more = len(spoken) - len(pictures)
    return "".join(
        (
            player(samples, sample_rate, text),
            *(paragraph(each, strong=True) for each in remarks),
            *pictures,
            paragraph(f"and {more} more sentences") if more else "",
        )
    )

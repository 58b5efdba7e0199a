"""A sentence as one system says it: what was heard, a player, the mel and the phonemes."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from kokoro_core.measures.mel_distortion import Array
from kokoro_core.measures.mel_picture import mel_picture
from kokoro_plugins.evaluation.evaluate import Outcome
from kokoro_plugins.evaluation.measures import MEASURES, value_of
from kokoro_plugins.evaluation.rendition import Rendition
from kokoro_plugins.evaluation.words import TextErrors

HEIGHT, LABELS = 120, 16
"""Of a picture, and of the phonemes below it."""

SECOND = 260
"""Width of a second."""

OF_A_SENTENCE = ("wer", "mos", "sound_distortion", "duration_error", "pitch_error")
"""Measures that stand at each sentence."""


def figure(title: str, outcome: Outcome, mel: Array, bounds: tuple[float, float], src: str) -> str:
    """Return a rendition as HTML.

    Args:
        title: Who speaks.
        outcome: What he made of the sentence.
        mel: Of what is heard.
        bounds: What is white and what is black in the picture.
        src: The file of the sound, from the page.

    Shape:
        mel: (T, M).
    """
    rendition = outcome.rendition
    width = max(1, round(SECOND * rendition.audio_seconds))
    lost = f"<br>{escape(rendition.loss)}" if rendition.loss else ""
    return (
        f"<figure><figcaption><b>{escape(title)}</b> "
        f'<span class="figures">{escape(figures(outcome))}</span>{lost}'
        f"{heard(outcome.errors)}</figcaption>"
        f'<audio controls preload="none" src="{escape(src)}"></audio>'
        f'<div class="mel"><svg viewBox="0 0 {width} {HEIGHT + LABELS}" width="{width}" '
        f'height="{HEIGHT + LABELS}"><image href="{mel_picture(mel, bounds)}" width="{width}" '
        f'height="{HEIGHT}" preserveAspectRatio="none"/>{"".join(phonemes(rendition))}'
        f'<line class="now" x1="-1" x2="-1" y2="{HEIGHT}" stroke="#06c" stroke-width="1.5"/>'
        f"</svg></div></figure>"
    )


def figures(outcome: Outcome) -> str:
    """Return the figures of one sentence, in words."""
    values = {
        each: value_of(each.name, [outcome.parts])
        for each in MEASURES
        if each.name in OF_A_SENTENCE
    }
    return " · ".join(
        f"{each.heading} {each.written(value)}"
        for each, value in values.items()
        if value is not None
    )


def heard(errors: TextErrors | None) -> str:
    """Return what was heard; what was to be said is struck out where it differs."""
    if errors is None:
        return ""
    pieces = " ".join(_piece(wanted, said) for wanted, said in errors.runs)
    return f'<br><span class="heard">{pieces}</span>'


def _piece(wanted: str, said: str) -> str:
    if wanted == said:
        return escape(said)
    marked = (("del", wanted), ("ins", said))
    return " ".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in marked if text)


def phonemes(rendition: Rendition) -> Iterator[str]:
    """Yield a line at the end of each phoneme and the phoneme below it."""
    for each in rendition.phonemes:
        end, middle = SECOND * each.end, SECOND * (each.start + each.end) / 2
        yield f'<line x1="{end:.1f}" x2="{end:.1f}" y2="{HEIGHT}" stroke="#d33" stroke-width=".6"/>'
        yield (
            f'<text x="{middle:.1f}" y="{HEIGHT + 12}" font-size="11" text-anchor="middle">'
            f"{escape(each.symbol)}</text>"
        )

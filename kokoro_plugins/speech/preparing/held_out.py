"""What is odd about the utterances that are held out."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kokoro_plugins.speech.preparing.prepared import Prepared

FEW, SHORT = 10, 30.0
"""Utterances and seconds below which figures of what is held out say little."""


def advice_on(
    utterances: Iterable[Prepared], held_out: Collection[str], seconds_per_frame: float
) -> Iterable[str]:
    """Yield a sentence for each thing that is odd about what is held out."""
    inside = [each for each in utterances if each.name in held_out]
    texts = {each.text for each in utterances if each.name not in held_out}
    seconds = sum(each.frames for each in inside) * seconds_per_frame
    if len(inside) < FEW or seconds < SHORT:
        yield (
            f"only {len(inside)} utterances of {seconds:.0f} s in all are held out, so figures of "
            f"them say little; `--holdout` takes another number, and {FEW} and {SHORT:.0f} s are "
            f"the least that is worth looking at"
        )
    if known := sum(each.text in texts for each in inside):
        yield (
            f"{known} of {len(inside)} utterances that are held out have a text that is trained "
            f"on too, so they do not show how new sentences sound"
        )

"""What is odd about data that can be trained on: said once, by kind."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from kokoro_core import ModelSpec
from kokoro_plugins.speech.preparing.prepared import Prepared
from kokoro_plugins.speech.preparing.spec_file import names_of

MANY = 0.1
"""The share of the utterances from which on it is said that the peak decided their loudness."""

FEW_PHONEMES = 5
"""Shorter utterances may well have equal durations by chance."""


def advice_on_all(
    utterances: Sequence[Prepared], spec: ModelSpec, features: Collection[str]
) -> Iterator[str]:
    """Yield a sentence for each thing that is odd."""
    yield from _noted(utterances)
    uniform = sum(each.durations is not None and is_uniform(each.durations) for each in utterances)
    if uniform:
        yield (
            f"{uniform:,} of {len(utterances):,} utterances have the same duration for every "
            f"phoneme, which is no alignment"
        )
    at_peak = sum(each.is_at_peak for each in utterances)
    if at_peak > MANY * len(utterances):
        yield (
            f"{at_peak:,} of {len(utterances):,} recordings are quieter than was asked, since "
            f"their peaks would be too high; a lower `--loudness` makes all equally loud"
        )
    speakers = names_of(utterances, "speaker")
    if len(speakers) > 1 and "speaker" not in features:
        yield (
            f"there are {len(speakers)} speakers, but `{spec.name}` takes no speaker, so it would "
            f"learn one voice out of all; add `--set conditioners.speaker.type=lookup`, `--set "
            f"conditioners.speaker.add=true` and `--set speakers=[all]`, for which the names come"
        )


def _noted(utterances: Sequence[Prepared]) -> Iterator[str]:
    """Yield for each kind of note how many utterances have it, and the first."""
    first: dict[str, tuple[str, str]] = {}
    counts: dict[str, int] = {}
    for each in utterances:
        for kind, said in dict(each.notes).items():
            first.setdefault(kind, (each.name, said))
            counts[kind] = counts.get(kind, 0) + 1
    for kind, (name, said) in first.items():
        yield f"{kind}: {counts[kind]:,}, the first is `{name}`: {said.rstrip('.')}"


def is_uniform(durations: Sequence[int]) -> bool:
    """Return whether durations are a length divided by the number of phonemes, not an alignment."""
    inner = durations[:-1]  # the last one takes what the division leaves over
    return len(durations) >= FEW_PHONEMES and max(inner) - min(inner) <= 1

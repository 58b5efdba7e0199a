"""What a corpus that gives facts lacks for a model, found without reading an utterance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kokoro_core.contracts import CorpusFacts
from kokoro_core.contracts.utterances import index_problems
from kokoro_core.params.features import Feature
from kokoro_core.spec.rules.names import NAMED
from kokoro_plugins.training.data.feature_statistics import Moments


def fact_problems(
    facts: CorpusFacts,
    *,
    pad_id: int,
    vocab_size: int | None,
    features: Mapping[str, Feature],
    names: Mapping[str, Sequence[str]],
    needs_durations: bool,
) -> Iterator[str]:
    """Yield what of a corpus a model cannot take, in sentences.

    Args:
        facts: Of the corpus.
        pad_id: No phoneme has this index.
        vocab_size: Phoneme indices are below it; None: of any size.
        features: What the model takes beside phonemes and mels, by name.
        names: What those that are names may be called.
        needs_durations: Whether every utterance must have durations.
    """
    count = len(facts.frames)
    if needs_durations and facts.aligned < count:
        yield (
            f"{count - facts.aligned:,} of {count:,} utterances have no durations, and the model "
            f"no `aligner` to find them."
        )
    for problem in index_problems(facts.phoneme_indices, pad_id, vocab_size):
        yield f"The corpus {problem}"
    for name in features:
        yield from _of_feature(name, facts, features[name], names.get(name, ()))


def _of_feature(
    name: str, facts: CorpusFacts, feature: Feature, known: Sequence[str]
) -> Iterator[str]:
    unknown = sorted(facts.names.get(name, frozenset()) - set(known))
    if unknown:
        yield (
            f"The corpus has the {name} {unknown[0]!r}, which the spec does not list; it lists "
            f"{', '.join(known) or 'none'} (`{NAMED.get(name, name)}`)."
        )
    num = feature.width or len(known) or None
    found = facts.features.get(name)
    if feature.kind != "index" or found is None or not found.count:
        return
    if found.least < 0 or (num is not None and found.most >= num):
        most = "" if num is None else f" to {num - 1}"
        yield (
            f"The corpus has `{name}` from {found.least:g} to {found.most:g}, which must be from "
            f"0{most}."
        )


def known_moments(facts: CorpusFacts) -> dict[str, Moments]:
    """Return the moments of each feature that is a number."""
    return {
        name: Moments(each.count, each.total, each.squares) for name, each in facts.features.items()
    }

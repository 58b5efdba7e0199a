"""Whether a corpus has what a model learns from, told before anything of it is read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kokoro_core import ModelSpec
from kokoro_core.errors import CorpusError
from kokoro_core.slots import CorpusParams
from kokoro_core.spec.rules.intake import features_for_training
from kokoro_plugins.training.data.feature_problems import names_of
from registry.text import suggestion


def needs_durations(spec: ModelSpec) -> bool:
    """Return whether the model of a spec learns from durations that the corpus must have."""
    return spec.regulator is not None and spec.aligner is None


def learned_from(spec: ModelSpec) -> dict[str, Any]:
    """Return the keywords of `AlignedSpeech` that say what the model of a spec learns from."""
    return {
        "features": features_for_training(spec),
        "names": names_of(spec),
        "needs_durations": needs_durations(spec),
    }


def refuse_corpus(spec: ModelSpec, corpus: CorpusParams, features: Iterable[str]) -> None:
    """Refuse a corpus that lacks what the model of a spec learns from.

    Raises:
        CorpusError: It has no durations and the model no aligner, or it lacks a feature.
    """
    if needs_durations(spec) and not corpus.has_durations:
        raise CorpusError(
            f"The corpus `{corpus.type}` has no durations here, and `{spec.name}` has no `aligner` "
            f"to find them; add durations (docs/data.md), or an aligner, such as "
            f"`--set aligner.type=forward_sum`."
        )
    given = corpus.gives_features
    for name in features:
        if name not in given:
            hint = suggestion(name, given) or f"; it has {', '.join(sorted(given)) or 'none'}"
            raise CorpusError(
                f"`{spec.name}` learns from the feature `{name}`, which the corpus "
                f"`{corpus.type}` does not have{hint}."
            )

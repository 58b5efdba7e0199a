"""The spec with what the data decides."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from kokoro_core import ModelSpec, load_spec
from kokoro_core.cli.output import write_yaml
from kokoro_core.spec.tree.dump import dump
from kokoro_plugins.speech.preparing.moments import Moments
from kokoro_plugins.speech.preparing.prepared import Prepared
from registry import Plugins

DIGITS = 6


def spec_for(
    spec: ModelSpec,
    utterances: Sequence[Prepared],
    features: Sequence[str],
    plugins: Plugins,
    *,
    begun: ModelSpec | None = None,
) -> ModelSpec:
    """Return a spec whose statistics and names are those of the utterances.

    Names stay as they are where they are those of all utterances and of others. Statistics are
    those of the model that training begins with, whose weights are made for what they normalise to.

    Args:
        spec: It has audio.
        utterances: At least one.
        features: What the model learns from beside mels, by name.
        plugins: Where components come from.
        begun: The spec of the model that training begins with, if it begins with one.

    Raises:
        SpecError: The spec does not fit what the data has.
    """
    changes = _statistics(spec, utterances, features)
    if begun is not None:
        changes |= {path: each for path, each in _known(begun).items() if path in changes}
    for feature, key in (("speaker", "speakers"), ("language", "languages")):
        names = names_of(utterances, feature)
        if feature in features and not set(names) <= set(getattr(spec, key)):
            changes[key] = names
    return load_spec(spec, overrides=changes, plugins=plugins)


def _known(spec: ModelSpec) -> dict[str, float]:
    """Return the means and standard deviations that a spec has, by their paths."""
    sections = {f"features.{name}": each for name, each in spec.features.items()}
    found = {**sections, **({} if spec.audio is None else {"audio": spec.audio})}
    return {
        f"{path}.{what}": getattr(each, what)
        for path, each in found.items()
        for what in ("mean", "std")
    }


def _statistics(
    spec: ModelSpec, utterances: Sequence[Prepared], features: Sequence[str]
) -> dict[str, Any]:
    """Return mean and standard deviation of the mels and of each feature, by their paths."""
    mel = Moments.sum(each.mel for each in utterances)
    changes: dict[str, Any] = {"audio.mean": _short(mel.mean), "audio.std": _short(mel.std)}
    for name in features:
        if name in utterances[0].features and name != "voiced":
            found = Moments.sum(each.features[name] for each in utterances)
            changes[f"features.{name}.mean"] = _short(found.mean)
            changes[f"features.{name}.std"] = _short(found.std or 1.0)
            if name not in spec.features:
                changes[f"features.{name}.per"] = "frame"
    return changes


def names_of(utterances: Sequence[Prepared], what: str) -> list[str]:
    """Return the speakers or the languages of utterances, sorted."""
    return sorted({name for each in utterances if (name := getattr(each, what)) is not None})


def text_of(spec: ModelSpec, plugins: Plugins, head: str) -> str:
    """Return a spec as YAML with a comment before it."""
    stream = io.StringIO()
    plain: Mapping[str, Any] = dump(spec, plugins.components, only_set=True)
    write_yaml(plain, stream)
    return f"# {head}\n{stream.getvalue()}"


def _short(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")

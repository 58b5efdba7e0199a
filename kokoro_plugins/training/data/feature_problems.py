"""Whether the features of an utterance are what a model learns from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from kokoro_core import ModelSpec
from kokoro_core.contracts import Utterance
from kokoro_core.errors import CorpusError
from kokoro_core.params.features import Feature
from kokoro_core.spec.rules.names import NAMED


def names_of(spec: ModelSpec) -> dict[str, Sequence[str]]:
    """Return the names that features such as the speaker may have, by feature."""
    return {name: getattr(spec, key) for name, key in NAMED.items() if getattr(spec, key)}


@final
@dataclass(frozen=True)
class FeatureCheck:
    """Looks at the features of utterances.

    Args:
        features: Their form, by name.
        names: What those whose values are names may be called.
    """

    features: Mapping[str, Feature]
    names: Mapping[str, Sequence[str]]

    def problems_of(self, utterance: Utterance) -> Iterator[str]:
        """Yield what is wrong with each feature of an utterance, in words."""
        for name, feature in self.features.items():
            try:
                value = utterance.features[name]
            except KeyError:
                yield f"has no feature `{name}`, from which the model learns."
            except CorpusError as error:
                yield str(error).removeprefix(f"`{utterance.name}` ")
            else:
                yield from self._problems(name, value, feature, utterance)

    def _problems(
        self, name: str, value: Any, feature: Feature, utterance: Utterance
    ) -> Iterator[str]:
        known = self.names.get(name)
        if isinstance(value, str):
            if known is None or value not in known:
                listed = ", ".join(known or ()) or "none"
                yield (
                    f"has the {name} {value!r}, which the spec does not list; it lists {listed} "
                    f"(`{NAMED.get(name, name)}`)."
                )
            return
        tensor = torch.as_tensor(value)
        shape = _shape(feature, utterance)
        if tuple(tensor.shape) != shape:
            hint = _hint(name, tensor, feature, utterance)
            yield f"has `{name}` of shape {tuple(tensor.shape)}, which must be {shape}{hint}."
        elif not bool(tensor.isfinite().all()):
            yield f"has `{name}` with a NaN or an infinity."
        elif feature.kind == "index":
            yield from _index_problems(name, tensor, feature.width or len(known or ()) or None)


def _shape(feature: Feature, utterance: Utterance) -> tuple[int, ...]:
    steps = {"phoneme": len(utterance.phoneme_indices), "frame": len(utterance.mel)}
    along = (steps[feature.per],) if feature.per in steps else ()
    return along if feature.kind == "index" or feature.width is None else (*along, feature.width)


def _hint(name: str, tensor: Tensor, feature: Feature, utterance: Utterance) -> str:
    """Return what to write where the corpus has one value a frame and the spec does not say so."""
    by_frame = tensor.dim() > 0 and len(tensor) == len(utterance.mel)
    if feature.per != "phoneme" or not by_frame:
        return ""
    return f"; it has one value a frame, so write `features: {{{name}: {{per: frame}}}}`"


def _index_problems(name: str, tensor: Tensor, num: int | None) -> Iterator[str]:
    if tensor.is_floating_point():
        yield f"has `{name}` of {tensor.dtype}, which must be torch.int64, since it is an index."
    elif tensor.numel() and (
        int(tensor.min()) < 0 or (num is not None and int(tensor.max()) >= num)
    ):
        most = "" if num is None else f" to {num - 1}"
        yield (
            f"has `{name}` from {int(tensor.min())} to {int(tensor.max())}, which must be from "
            f"0{most}."
        )

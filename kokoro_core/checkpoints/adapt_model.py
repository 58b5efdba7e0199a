"""Carry out what `matching` plans: build the new model and put the old tensors into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from kokoro_core.checkpoints.adapt import Adapt, Adaptation
from kokoro_core.checkpoints.adapt_plan import AdaptationPlan, Rows, adaptation_plan, old_indices
from kokoro_core.checkpoints.layout import CheckpointMismatch, differences, floating_type
from kokoro_core.checkpoints.loaded import Loaded
from kokoro_core.checkpoints.locate import OpenModel
from kokoro_core.checkpoints.tensors_of import layout_of, parameter_names
from kokoro_core.checkpoints.values import check_finite, on_device
from kokoro_core.checkpoints.vocoder_tensors import parted, placed, unset_vocoder
from kokoro_core.contracts import NeuralVocoder
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.model.assembly import assemble
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.diff import diff_specs
from registry import Plugins


def adapted(
    opened: OpenModel,
    spec: ModelSpec,
    adapt: Adapt,
    plugins: Plugins,
    device: str,
    *,
    widen: bool = False,
) -> Loaded:
    """Return the new spec, its model with the vocoder if that stays, and what became of all.

    Args:
        opened: The checkpoint.
        spec: The checkpoint's own.
        adapt: How the new model differs.
        plugins: Where components come from.
        device: Where the model goes.
        widen: Turn 16-bit weights into float32; what starts anew is never rounded then.

    Raises:
        CheckpointError: The checkpoint is damaged, or what is asked for does not fit.
        SpecError: The new spec has problems.
    """
    source = spec if adapt.spec is None else adapt.spec
    new = load_spec(source, overrides=adapt.overrides, plugins=plugins)
    indices = old_indices(adapt, spec.vocab_size, new.vocab_size)
    model = assemble(new)
    of_model, of_vocoder = parted(opened.content.layout)
    vocoder, why = _kept_vocoder(opened, spec, new)
    floating = floating_type(of_model)
    if floating is not None and not (widen and getattr(torch, floating).itemsize < 4):
        model.to(getattr(torch, floating))
    grown = rows_by_name(spec, new)
    if indices is not None:
        said = f"{len(indices)} of {new.vocab_size} phonemes"
        grown |= {name: Rows(axis, indices, said) for name, axis in vocabulary_axes(new).items()}
    matched = adaptation_plan(layout_of(model), of_model, adapt, grown)
    kept = layout_of(placed(vocoder))
    wanted = {*matched.whole.values(), *(source for source, _ in matched.rows.values()), *kept}
    tensors = opened.content.read(names=wanted, verify=opened.verify)
    parameters = parameter_names(model) | parameter_names(placed(vocoder))
    check_finite(f"`{opened.path}` is refused", tensors, parameters)
    model.load_state_dict(_merged(model, tensors, matched), strict=True, assign=True)
    placed(vocoder).load_state_dict({name: tensors[name] for name in kept}, assign=True)
    report = Adaptation(
        source=str(opened.path),
        changes=tuple(diff_specs(spec, new, plugins)),
        taken=(*matched.whole, *kept),
        partly={name: rows.said for name, (_, rows) in matched.rows.items()},
        fresh=matched.fresh,
        left={**matched.left, **{name: why for name in of_vocoder if name not in kept}},
    )
    adapt.say(str(report))
    if vocoder is not None:
        on_device(opened.path, vocoder, device, widen=widen)
    return Loaded(new, on_device(opened.path, model, device, widen=widen), vocoder, report)


def _kept_vocoder(
    opened: OpenModel, old: ModelSpec, new: ModelSpec
) -> tuple[NeuralVocoder | None, str]:
    """Return a checkpoint's vocoder, not filled yet, if it is that of the new spec; or why not.

    Raises:
        CheckpointMismatch: The checkpoint has other tensors than the vocoder of its spec.
    """
    of_vocoder = parted(opened.content.layout)[1]
    vocoder = unset_vocoder(old, of_vocoder)
    if lines := differences(layout_of(placed(vocoder)), of_vocoder):
        raise CheckpointMismatch(f"`{opened.path}` does not fit the vocoder of its spec", lines)
    if vocoder is None or old.audio is None or new.audio is None or new.vocoder is None:
        return None, "the spec has no vocoder"
    if new.vocoder != old.vocoder:
        return None, f"the spec has another vocoder, `{new.vocoder.type}`"
    if changed := old.audio.differences(new.audio):
        return None, f"the spec has other mels: {'; '.join(changed)}"
    return vocoder, ""


def vocabulary_axes(spec: ModelSpec) -> dict[str, int]:
    """Return the axis of each tensor that has a row for each phoneme.

    No component says so: it is the axis that grows by one when the vocabulary does.
    """
    return _axes_of(spec, spec.vocab_size, {"vocab_size": spec.vocab_size + 1, "frontend": None})


def rows_by_name(old: ModelSpec, new: ModelSpec) -> dict[str, Rows]:
    """Return the rows of tensors that have one for each speaker or language, if those differ."""
    found: dict[str, Rows] = {}
    for key in ("speakers", "languages"):
        before, now = getattr(old, key), getattr(new, key)
        if before == now or not before or not now:
            continue
        known = {now.index(name): before.index(name) for name in now if name in before}
        axes = _axes_of(new, len(now), {key: (*now, "")})
        said = f"{len(known)} of {len(now)} {key}"
        found |= {name: Rows(axis, known, said) for name, axis in axes.items()}
    return found


def _axes_of(spec: ModelSpec, size: int, larger: Mapping[str, Any]) -> dict[str, int]:
    changed_spec = spec.model_copy(update=larger)
    shapes, grown = (layout_of(assemble(each, device="meta")) for each in (spec, changed_spec))
    axes = {}
    for name, info in shapes.items():
        pairs = list(zip(info.shape, grown[name].shape, strict=True))
        changed = [axis for axis, (before, after) in enumerate(pairs) if before != after]
        if len(changed) == 1 and pairs[changed[0]] == (size, size + 1):
            axes[name] = changed[0]
    return axes


def _merged(
    model: AcousticModel,
    tensors: Mapping[str, Tensor],
    matched: AdaptationPlan,
) -> dict[str, Tensor]:
    """Return a state for a model: its own, with what is taken in its place."""
    state = dict(model.state_dict())
    for name, source in matched.whole.items():
        state[name] = tensors[source]
    for name, (source, rows) in matched.rows.items():
        new, old = (torch.tensor([*each]).long() for each in (rows.old, rows.old.values()))
        taken = tensors[source].index_select(rows.axis, old).to(state[name].dtype)
        state[name] = state[name].index_copy(rows.axis, new, taken)
    return state

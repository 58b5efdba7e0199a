"""Carry out what `matching` plans: build the new model and put the old tensors into it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from kokoro_core.checkpoints.adapt import Adapt, Adaptation
from kokoro_core.checkpoints.adapt_plan import AdaptationPlan, adaptation_plan, old_indices
from kokoro_core.checkpoints.layout import floating_type
from kokoro_core.checkpoints.locate import OpenModel
from kokoro_core.checkpoints.savable import layout_of
from kokoro_core.checkpoints.values import check_finite, on_device
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.model.assembly import assemble
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.diff import diff_specs
from registry import Plugins


def adapted(
    opened: OpenModel, spec: ModelSpec, adapt: Adapt, plugins: Plugins, device: str
) -> tuple[ModelSpec, AcousticModel, Adaptation]:
    """Return the new spec, its model, and what became of every tensor.

    Args:
        opened: The checkpoint.
        spec: The checkpoint's own.
        adapt: How the new model differs.
        plugins: Where components come from.
        device: Where the model goes.

    Raises:
        CheckpointError: The checkpoint is damaged, or what is asked for does not fit.
        SpecError: The new spec has problems.
    """
    source = spec if adapt.spec is None else adapt.spec
    new = load_spec(source, overrides=adapt.overrides, plugins=plugins)
    indices = old_indices(adapt, spec.vocab_size, new.vocab_size)
    model = assemble(new)
    floating = floating_type(opened.content.layout)
    if floating is not None:
        model.to(getattr(torch, floating))
    axes = {} if indices is None else vocabulary_axes(new)
    matched = adaptation_plan(layout_of(model), opened.content.layout, adapt, axes)
    wanted = [*matched.whole.values(), *(source for source, _ in matched.rows.values())]
    tensors = opened.content.read(names=set(wanted), verify=opened.verify)
    check_finite(
        f"`{opened.path}` is refused", tensors, {name for name, _ in model.named_parameters()}
    )
    model.load_state_dict(_merged(model, tensors, matched, indices or {}), strict=True, assign=True)
    report = Adaptation(
        source=str(opened.path),
        changes=tuple(diff_specs(spec, new, plugins)),
        taken=tuple(matched.whole),
        partly=dict.fromkeys(matched.rows, f"{len(indices or {})} of {new.vocab_size} phonemes"),
        fresh=matched.fresh,
        left=matched.left,
    )
    adapt.say(str(report))
    return new, on_device(opened.path, model, device), report


def vocabulary_axes(spec: ModelSpec) -> dict[str, int]:
    """Return the axis of each tensor that has a row for each phoneme.

    No component says so: it is the axis that grows by one when the vocabulary does.
    """
    size = spec.vocab_size
    larger = spec.model_copy(update={"vocab_size": size + 1})
    shapes, grown = (layout_of(assemble(each, device="meta")) for each in (spec, larger))
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
    indices: Mapping[int, int],
) -> dict[str, Tensor]:
    """Return a state for a model: its own, with what is taken in its place."""
    state = dict(model.state_dict())
    for name, source in matched.whole.items():
        state[name] = tensors[source]
    new, old = torch.tensor(list(indices)), torch.tensor(list(indices.values()))
    for name, (source, axis) in matched.rows.items():
        rows = tensors[source].index_select(axis, old.long())
        state[name] = state[name].index_copy(axis, new.long(), rows)
    return state

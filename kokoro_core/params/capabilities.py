"""`Capabilities`: a component's declarations, which select the kit's checks.

This file imports no torch, since params classes declare capabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from kokoro_core.params.sizes import Sizes

Reach = int | tuple[int | None, int | None] | None


@dataclass(frozen=True)
class SideInput:
    """What a side input looks like, so that the kit can generate one.

    Attributes:
        kind: Normally distributed numbers, or indices from 0 to `width` - 1.
        per: One per row, or one per step of the component's first input.
        width: Channels of a ``float``, as a number or by the model's size that they are, or None
            for one number without a channel axis; the number of indices of an ``index``.
    """

    kind: Literal["float", "index"] = "float"
    per: Literal["row", "step"] = "row"
    width: int | Literal["hidden_dim", "mel_dim"] | None = None

    def width_in(self, sizes: Sizes) -> int | None:
        """Return the width in a model of these sizes."""
        if isinstance(self.width, str):
            return sizes.hidden_dim if self.width == "hidden_dim" else sizes.mel_dim
        return self.width


@dataclass(frozen=True)
class Capabilities:
    """What a component can do; the defaults describe most components of its slot.

    A "no" removes the checks that a component cannot pass, and adds a check that it fails
    clearly, or that the "no" is still true.

    Attributes:
        nan_safe_padding: Padding may contain NaN. No: a NaN there must raise or make the row NaN;
            it must never change a result silently.
        empty_rows: A row may consist of padding. No: such a row must raise a ValueError.
        float64: It computes in float64. No: it is checked in float32, with a wider tolerance, and
            must reject float64.
        low_precision: It computes in bfloat16 and float16. No: it must reject them.
        compilable: ``torch.compile`` captures it as one graph. No: that must fail.
        exportable: ``torch.export`` supports it. None: nothing is declared, and what speaking calls
            is checked alone. No: then that must fail, and `kokoro-core export` refuses it.
        export_obstacle: What keeps it from being exported, for that refusal.
        receptive_field: Steps on each side that an output step depends on, or (before, after);
            None means all of them.
        position_free: The order of the steps of a row does not matter.
        blends: (Regulators) A frame may mix several phonemes. No: each frame is a copy.
        learned_ranges: (Regulators) The range of a phoneme depends on its vector, so a
            frame may belong to another phoneme than the durations say. Then it must depend on it.
        detached_inputs: Floating inputs that affect the output but get no gradient
            (``hidden.detach()``). Then they must get none.
        exact_gradient: The gradient is the derivative of what is computed. No: something is rounded
            or detached; then the two must differ.
        chunked_steps: (Autoregressive decoders) `step` takes several groups of frames at once.
        forkable: (Autoregressive decoders) Rows of a state can be selected.
        shared_tensors: Parameters may be tied to each other.
        residual: (Postnets) What is made is added to the mel. No: the mel is made anew; then it
            must be.
        side_inputs: A description of each side input in ``needs`` that the kit does not know (it
            knows ``plan`` and ``noise``).
    """

    nan_safe_padding: bool = True
    empty_rows: bool = True
    float64: bool = True
    low_precision: bool = True
    compilable: bool = True
    exportable: bool | None = None
    export_obstacle: str = ""
    receptive_field: Reach = None
    position_free: bool = False
    blends: bool = False
    learned_ranges: bool = False
    detached_inputs: frozenset[str] = frozenset()
    exact_gradient: bool = True
    chunked_steps: bool = True
    forkable: bool = True
    shared_tensors: bool = False
    residual: bool = True
    side_inputs: Mapping[str, SideInput] = field(default_factory=dict)

    @property
    def reach(self) -> tuple[int | None, int | None]:
        """Steps (before, after) that an output step depends on; None: all."""
        field = self.receptive_field
        return field if isinstance(field, tuple) else (field, field)

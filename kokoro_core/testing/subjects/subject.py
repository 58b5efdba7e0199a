"""`Subject`: a component under test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.component import ComponentParams
from kokoro_core.params.sizes import Sizes
from kokoro_core.testing.data.randomness import seed_torch
from kokoro_core.testing.probes import PROBES, Probe
from kokoro_core.testing.subjects.tiny import has_dropout, with_dropout

SIZES = Sizes(vocab_size=11, pad_id=2, mel_dim=5, hidden_dim=8)
"""Of the model around a component; padding is not 0, so that nobody takes 0 for it."""

NUM_HEADS = 2
"""Heads of the stack around a positional encoding."""


@dataclass(frozen=True)
class Subject:
    """A component under test: its settings, and how it is built from them.

    Attributes:
        params: The settings.
        variant: Which of the component's small configurations they are.
        sizes: Of the model around it.
        golden: Names, shapes and dtypes that its state must have, or None.
        first: Whether it is the first of its component's configurations.
        note: What could not be made small, and why.
    """

    params: ComponentParams
    variant: str = ""
    sizes: Sizes = field(default=SIZES)
    golden: Mapping[str, Any] | None = None
    first: bool = True
    note: str = ""

    @property
    def slot(self) -> str:
        """The component's slot."""
        return self.params.slot

    @property
    def name(self) -> str:
        """``slot/type``, and the variant if it has one."""
        ending = f":{self.variant}" if self.variant else ""
        return f"{self.slot}/{self.params.type}{ending}"

    @property
    def capabilities(self) -> Capabilities:
        """What the component says of itself."""
        return self.params.capabilities

    @property
    def dtype(self) -> torch.dtype:
        """What it is checked in."""
        return torch.float64 if self.capabilities.float64 else torch.float32

    @property
    def has_dropout(self) -> bool:
        """Whether a setting of it is a dropout."""
        return has_dropout(self.params)

    def build(self, *, seed: int = 0, jitter: float = 0.1) -> Any:
        """Build the component, in evaluation mode.

        Parameters get a little noise, so that no bias is 0 and no scale 1 by initialisation: a leak
        must not hide behind them.
        """
        with torch.random.fork_rng(devices=[]):
            seed_torch(seed)
            component = self.built()
            with torch.no_grad():
                for parameter in component.parameters():
                    parameter.add_(jitter * torch.randn_like(parameter))
        return component.to(self.dtype).eval()

    def built(self) -> Any:
        """Build the component as its settings say, in whatever mode and dtype it is made."""
        build: Any = self.params.build  # type: ignore[attr-defined]
        if self.slot == "positional_encoding":
            return build(hidden_dim=self.sizes.hidden_dim, num_heads=NUM_HEADS)
        return build(self.sizes)

    @cached_property
    def component(self) -> Any:
        """One built component that all checks share; no check may change it."""
        return self.build()

    @cached_property
    def trained(self) -> Any:
        """The same component in training mode without dropout, shared by all checks."""
        return replace(self, params=with_dropout(self.params, 0.0)).build().train()

    @cached_property
    def dropping(self) -> Subject:
        """The same component with dropout."""
        return replace(self, params=with_dropout(self.params, 0.4))

    @cached_property
    def probe(self) -> Probe:
        """The probe of the shared component."""
        return self.probe_of(self.component)

    def probe_of(self, component: Any) -> Probe:
        """Return the probe of a component that was built from these settings.

        Raises:
            ValueError: There is no probe for the slot.
        """
        if self.slot not in PROBES:
            raise ValueError(f"`{self.slot}` has no probe; the slots are {', '.join(PROBES)}.")
        return PROBES[self.slot](component, self.params, self.sizes, self.dtype)

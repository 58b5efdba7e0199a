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
from kokoro_core.slots import PositionalEncodingParams
from kokoro_core.testing.probes import PROBES, Probe
from kokoro_core.testing.subjects.process_state import seed_torch
from kokoro_core.testing.subjects.tiny import has_dropout, with_dropout

SIZES = Sizes(
    vocab_size=11,
    pad_id=2,
    mel_dim=5,
    hidden_dim=8,
    num_speakers=4,
    num_languages=3,
    hop_length=6,
)
"""Sizes of the model around a component; `pad_id` is not 0, so that 0 is not mistaken for it."""

NUM_HEADS = 2
"""Heads of the stack around a positional encoding."""


def build_arguments(
    params: ComponentParams, sizes: Sizes, num_heads: int = NUM_HEADS
) -> dict[str, Any]:
    """Return the arguments of `build` and `size` in a model of these sizes."""
    if isinstance(params, PositionalEncodingParams):
        return {"hidden_dim": sizes.hidden_dim, "num_heads": num_heads}
    return {"sizes": sizes}


@dataclass(frozen=True)
class Subject:
    """A component under test.

    Attributes:
        params: Its settings.
        variant: Name of the configuration, as in `tiny`.
        sizes: Of the model around it.
        golden: Names, shapes and dtypes that its state must have, or None.
        first: Whether it is the component's first configuration.
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
        """The capabilities that the params class declares."""
        return self.params.capabilities

    @property
    def dtype(self) -> torch.dtype:
        """The dtype in which it is checked."""
        return torch.float64 if self.capabilities.float64 else torch.float32

    @property
    def has_dropout(self) -> bool:
        """Whether any of its settings is a dropout."""
        return has_dropout(self.params)

    def build(self, *, seed: int = 0, jitter: float = 0.1) -> Any:
        """Build the component, in evaluation mode.

        Noise is added to the parameters, because a leak could hide behind biases that are
        initialised to 0 and scales that are initialised to 1.
        """
        with torch.random.fork_rng(devices=[]):
            seed_torch(seed)
            component = self.built()
            with torch.no_grad():
                for parameter in component.parameters():
                    parameter.add_(jitter * torch.randn_like(parameter))
        return component.to(self.dtype).eval()

    def built(self) -> Any:
        """Build the component without noise, in the mode and dtype in which `build` returns it."""
        build: Any = self.params.build  # type: ignore[attr-defined]
        return build(**build_arguments(self.params, self.sizes))

    @cached_property
    def component(self) -> Any:
        """The built component that all checks share; a check must not change it."""
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
        """Return a probe that calls a component built from these settings.

        Raises:
            ValueError: There is no probe for the slot.
        """
        if self.slot not in PROBES:
            raise ValueError(f"`{self.slot}` has no probe; the slots are {', '.join(PROBES)}.")
        return PROBES[self.slot](component, self.params, self.sizes, self.dtype)

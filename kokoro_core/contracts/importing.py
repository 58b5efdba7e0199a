"""The contract of importers, and what they say of a published checkpoint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kokoro_core.contracts.published import PublishedSettings

if TYPE_CHECKING:
    from torch import Tensor


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


@dataclass(frozen=True)
class Origin:
    """What a tensor of our model is made of.

    Attributes:
        names: The published tensors that it takes.
        how: What is done with them, in words for the table.
        make: Makes our tensor of them; it is tried on the meta device first, for the shape.
    """

    names: tuple[str, ...]
    how: str = "copy"
    make: Callable[..., Tensor] = _as_it_is


@dataclass(frozen=True)
class Published:
    """What the folder of a published checkpoint says, before a tensor is read.

    Attributes:
        config: The settings of ``config.json``.
        symbols: The symbol of each index, from ``vocab.json``; None without that file.
        tokenizer: The settings of ``tokenizer_config.json``, none without it. Those that nobody
            asks for are let be.
        tensors: Names of the tensors, where versions of the published code differ in them.
    """

    config: PublishedSettings
    symbols: tuple[str, ...] | None
    tokenizer: PublishedSettings
    tensors: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ImportPlan:
    """How a published checkpoint becomes one of ours.

    Attributes:
        spec: The spec of our model.
        origin: Returns what one of its tensors is made of, by its name.
        leaves: Regular expressions of whole names of published tensors that have no place in it,
            each with the reason.
    """

    spec: Mapping[str, Any]
    origin: Callable[[str], Origin]
    leaves: Mapping[str, str] = field(default_factory=dict)


class Importer(ABC):
    """Reads published checkpoints of one architecture."""

    @abstractmethod
    def plan(self, published: Published) -> ImportPlan:
        """Return how a published checkpoint becomes one of ours.

        Every setting of its `config` must be asked for: what was not is an error, as is a value
        that `PublishedSettings.only` refuses.
        """

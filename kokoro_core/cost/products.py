"""The matrix products of some work: which they are, what they multiply, and they alone again.

torch's own `FlopCounterMode` knows nothing of oneDNN's products, and counts what was asked for
before a kernel left something out; here it is the products that run which are counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

FACTORS = {
    "aten::mm": (0, 1),
    "aten::bmm": (0, 1),
    "aten::addmm": (1, 2),
    "aten::addmm_": (1, 2),
    "aten::baddbmm": (1, 2),
    "aten::baddbmm_": (1, 2),
    "mkldnn::_linear_pointwise": (0, 1),
}
"""The operations that are matrix products, and which of their arguments are multiplied."""


@dataclass(frozen=True)
class Layout:
    """How a tensor that was multiplied lay in memory."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype

    def random(self) -> Tensor:
        """Return random numbers that lie in memory the same way, overlapping or not."""
        steps = zip(self.shape, self.strides, strict=True)
        held = 1 + sum((length - 1) * stride for length, stride in steps)
        return torch.randn(max(held, 1), dtype=self.dtype).as_strided(self.shape, self.strides)


@dataclass(frozen=True)
class Product:
    """A matrix product that ran.

    Attributes:
        run: The operation.
        args: What it was given, a `Layout` for each tensor.
        keywords: The same by name.
        multiply_adds: Multiplications, each with its addition.
    """

    run: Callable[..., Any]
    args: tuple[Any, ...]
    keywords: dict[str, Any]
    multiply_adds: int


@final
class Products(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the matrix products of all operations within the context.

    Attributes:
        found: The products, in the order in which they ran.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[Product] = []

    @property
    def multiply_adds(self) -> int:
        """Multiplications of all of them."""
        return sum(each.multiply_adds for each in self.found)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, and note it if it is a product."""
        kwargs = kwargs or {}
        factors = FACTORS.get(func._schema.name)
        if factors is not None:
            left, right = (args[each] for each in factors)
            self.found.append(
                Product(
                    run=func,
                    args=tuple(_layout(each) for each in args),
                    keywords={name: _layout(each) for name, each in kwargs.items()},
                    multiply_adds=_multiply_adds(func._schema.name, left, right),
                )
            )
        return func(*args, **kwargs)

    def alone(self) -> Callable[[], None]:
        """Return what runs these products again and nothing else, on random numbers."""
        held: dict[tuple[int | str, Layout], Tensor] = {}

        def filled(place: int | str, given: Any) -> Any:
            if not isinstance(given, Layout):
                return given
            if (place, given) not in held:
                held[place, given] = given.random()
            return held[place, given]

        calls = [
            (
                each.run,
                [filled(place, given) for place, given in enumerate(each.args)],
                {name: filled(name, given) for name, given in each.keywords.items()},
            )
            for each in self.found
        ]

        def run() -> None:
            with torch.no_grad():
                for product, args, keywords in calls:
                    product(*args, **keywords)

        return run


def _layout(given: Any) -> Any:
    if not isinstance(given, Tensor):
        return given
    return Layout(tuple(given.shape), given.stride(), given.dtype)


def _multiply_adds(name: str, left: Tensor, right: Tensor) -> int:
    """Return the multiplications of a product; a linear layer's weight is (out, in)."""
    columns = right.shape[0] if name.startswith("mkldnn") else right.shape[-1]
    return left.numel() * columns

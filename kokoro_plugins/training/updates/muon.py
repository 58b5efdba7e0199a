"""`Muon`: matrices move by orthogonal steps, everything else by AdamW's."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.adamw import adamw

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial that each iteration applies to the singular values (Jordan et al., 2024)."""

ITERATIONS = 4
"""They bring singular values from a hundredth of the norm on to between about 0.7 and 1.2."""

SPREAD = 0.2
"""Root mean square of a step of AdamW, which those of Muon are given (Liu et al., 2025)."""

Group = dict[str, Any]


def orthogonalize(matrices: Tensor, iterations: int = ITERATIONS) -> Tensor:
    """Return matrices with the same singular vectors and singular values near 1.

    Newton and Schulz's iteration by way of the Gram matrix: each step multiplies a matrix X by a
    polynomial of X Xᵀ, so only that is iterated, which for a matrix of 256 × 1024 is half of the
    work. In float32: on a processor without instructions for bfloat16 that type takes ten times as
    long, and in it the Gram matrix would lose the small singular values.

    Shape:
        matrices: (K, rows, columns), rows ≤ columns. Returns: the same.
    """
    x = matrices / torch.linalg.matrix_norm(matrices, keepdim=True).clamp_min(1e-7)
    a, b, c = COEFFICIENTS
    identity = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    gram = x @ x.mT
    product: Tensor | None = None
    for left in reversed(range(iterations)):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c) + a * identity
        product = factor if product is None else factor @ product
        if left:
            gram = factor @ gram @ factor
    result: Tensor = x if product is None else product @ x
    return result


@final
class Muon(Optimizer):
    """Momentum whose matrices are orthogonalized before they are subtracted (Jordan et al., 2024).

    Every direction of a matrix is learned at the same pace, where AdamW follows the few that have
    the largest gradients. It moves the matrices of `nn.Linear` layers with more than one input and
    output; embeddings, biases, norms and single outputs are moved as AdamW does.

    Args:
        model: Has the parameters.
        parameters: What is moved; None: all of the model.
        lr: Learning rate; a step has the spread of one of AdamW, so one rate is right for both.
        momentum: Share of the momentum that stays, with Nesterov's look ahead.
        betas: Of AdamW.
        weight_decay: Of AdamW.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        parameters: Iterable[nn.Parameter] | None = None,
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.98),
        weight_decay: float = 0.01,
    ) -> None:
        matrices = {
            id(layer.weight)
            for layer in model.modules()
            if isinstance(layer, nn.Linear) and min(layer.weight.shape) > 1
        }
        moved = model.parameters() if parameters is None else parameters
        learned = [each for each in moved if each.requires_grad]
        hidden = [each for each in learned if id(each) in matrices]
        rest = [each for each in learned if id(each) not in matrices]
        groups: list[Group] = [
            {"params": hidden, "momentum": momentum},
            {"params": rest, "betas": betas, "weight_decay": weight_decay},
        ]
        super().__init__([each for each in groups if each["params"]], {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [each for each in group["params"] if each.grad is not None]
            if "momentum" in group:
                self._move_matrices(parameters, group)
            elif parameters:
                self._move_as_adamw(parameters, group)
        return loss

    def _move_matrices(self, parameters: Sequence[Tensor], group: Group) -> None:
        by_shape: dict[tuple[int, int], list[Tensor]] = defaultdict(list)
        for each in parameters:
            by_shape[min(each.shape), max(each.shape)].append(each)
        for (_, longer), alike in by_shape.items():
            ahead = torch.stack([_flat(self._look_ahead(each, group)) for each in alike])
            steps = orthogonalize(ahead) * (SPREAD * math.sqrt(longer))
            for parameter, step in zip(alike, steps, strict=True):
                parameter.sub_(_flat(step, like=parameter), alpha=group["lr"])

    def _look_ahead(self, parameter: Tensor, group: Group) -> Tensor:
        assert parameter.grad is not None
        mean = self._kept(parameter, "mean", parameter)
        mean.lerp_(parameter.grad, 1 - group["momentum"])
        return parameter.grad.lerp(mean, group["momentum"])

    def _move_as_adamw(self, parameters: list[Tensor], group: Group) -> None:
        adamw(
            parameters,
            [each.grad for each in parameters if each.grad is not None],
            [self._kept(each, "mean", each) for each in parameters],
            [self._kept(each, "mean_square", each) for each in parameters],
            [],
            [self._kept(each, "step", torch.zeros(())) for each in parameters],
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=1e-8,
            maximize=False,
        )

    def _kept(self, parameter: Tensor, name: str, like: Tensor) -> Tensor:
        """Return what is remembered of a parameter from step to step, zeros at first."""
        state = self.state[parameter]
        if name not in state:
            state[name] = torch.zeros_like(like, memory_format=torch.preserve_format)
        kept: Tensor = state[name]
        return kept


def _flat(matrix: Tensor, like: Tensor | None = None) -> Tensor:
    """Return a matrix with rows ≤ columns, or one like another again."""
    lies = matrix.shape[0] <= matrix.shape[1]
    return matrix if (lies if like is None else matrix.shape == like.shape) else matrix.mT

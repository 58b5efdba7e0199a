"""Views of a module whose linear layers are laid out for decoding."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import Tensor, nn

from kokoro_core.kernels import DecodingViews, optimize_for_decoding, side_by_side

PLACES: dict[str, list[tuple[str, ...]]] = {
    "": [("one", "two")],
    "blocks.*": [("0",)],
    "absent": [("0",)],
}


class Steps(nn.Module):
    """Two layers over one input, then two blocks; other layers that a step does not run."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(256, 256), nn.Linear(256, 256)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 512)) for _ in range(2)
        )
        self.views: DecodingViews[Steps] = DecodingViews(PLACES)

    def forward(self, x: Tensor) -> Tensor:
        x = side_by_side(x, self.one, self.two)
        for block in self.blocks:
            x = block(x)
        return x


@pytest.mark.parametrize("rows", [1, 3])
@torch.no_grad()
def test_a_view_computes_the_same_and_leaves_the_module_as_it_was(rows: int) -> None:
    module, x = Steps(), torch.randn(rows, 1, 256)
    before = dict(module.named_modules())
    view = optimize_for_decoding(module, PLACES, rows=rows)
    torch.testing.assert_close(view(x), module(x), atol=1e-5, rtol=1e-4)
    assert dict(module.named_modules()) == before


@pytest.mark.fast_kernels
@torch.no_grad()
def test_only_what_was_named_is_laid_out_and_layers_of_one_input_are_one() -> None:
    module = Steps()
    view = optimize_for_decoding(module, PLACES, rows=1)
    assert view.two is None
    assert view.one is not module.one
    for mine, theirs in zip(view.blocks, module.blocks, strict=True):
        assert mine[0] is not theirs[0]
        assert (mine[1], mine[2]) == (theirs[1], theirs[2])


@torch.no_grad()
def test_what_has_other_layers_stays_as_it_is() -> None:
    module, x = Steps(), torch.randn(1, 1, 256)
    module.blocks[1] = nn.Identity()
    module.register_module("two", None)
    module.blocks[0] = nn.Sequential(nn.ReLU(), nn.Linear(256, 8))
    view = optimize_for_decoding(module, PLACES, rows=1)
    assert view.one is module.one
    torch.testing.assert_close(view(x), module(x))


@pytest.mark.fast_kernels
@torch.no_grad()
def test_a_view_is_kept_until_a_weight_changes_and_for_one_row_apart() -> None:
    module = Steps()
    first = module.views.get(module, rows=2)
    assert module.views.get(module, rows=3) is first
    assert module.views.get(module, rows=1) is not first
    assert module.views.get(module, rows=2) is first
    module.get_parameter("blocks.1.2.bias").add_(1)
    assert module.views.get(module, rows=2) is not first
    with torch.enable_grad():  # no copy may stand for a weight that learns
        assert module.views.get(module, rows=2) is not module.views.get(module, rows=2)


@torch.no_grad()
def test_a_module_and_its_views_are_gone_without_waiting_for_the_collector() -> None:
    module = Steps()
    weights = [weakref.ref(each) for each in (module, module.views.get(module, rows=2).one)]
    gc.disable()
    try:
        del module
        assert [each() for each in weights] == [None, None]
    finally:
        gc.enable()

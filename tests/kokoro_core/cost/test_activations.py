"""What a training step holds at its worst moment."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from kokoro_core.cost.estimate import Workload, saved_bytes
from kokoro_core.cost.live_bytes import LiveBytes, activations
from kokoro_core.kernels import blockwise_attention as blockwise
from kokoro_core.model.assembly import assemble
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.tree.model_spec import ModelSpec

WORK = Workload(rows=2, phonemes=8, frames=48)
LARGE = Workload(rows=16, phonemes=100, frames=600)


def spec_of(segments: int | None, name: str = "small", layers: int = 6, **more: Any) -> ModelSpec:
    sizes = {"hidden_dim": 128, "encoder.ff_dim": 512, "decoder.ff_dim": 512}
    sizes |= {"encoder.num_layers": layers, "decoder.num_layers": layers}
    checkpointing = {"segments": segments} if segments else None
    return load_spec(name, overrides={**sizes, "gradient_checkpointing": checkpointing, **more})


def held(spec: ModelSpec, work: Workload, device: str = "meta") -> tuple[int, int]:
    model = assemble(spec, device=device)
    found = activations(model, work.batch(spec, device), spec.loss)
    return found.kept, found.peak


def test_storages_count_from_their_making_until_nobody_refers_to_them() -> None:
    before = torch.zeros(100)
    with LiveBytes() as live:
        first = before + 1  # 400 bytes
        view = first.view(10, 10)
        second = first * 2
        assert (live.now, live.peak) == (800, 800)
        del first
        assert live.now == 800  # the view is left
        del view
        assert live.now == 400
        before.add_(second)
        assert (live.now, live.peak) == (400, 800)
    del second
    assert live.now == 0


def test_a_chain_of_products_holds_what_arithmetic_says() -> None:
    x = torch.zeros(10, 10, device="meta", requires_grad=True)
    x.grad = torch.zeros_like(x)
    with LiveBytes() as live:
        y = x.exp()  # keeps its result
        z = y.sin()  # keeps its input
        total = z.sum()
        del y, z
        assert live.now == 400 + 4
        total.backward()
    # y, the ones that the sum's gradient expands, cos(y), its product and then that with y
    assert 4 * 400 >= live.peak >= 3 * 400


@pytest.mark.parametrize("segments", [None, 3])
def test_what_is_kept_is_what_autograd_saves(segments: int | None) -> None:
    spec = spec_of(segments)
    model = assemble(spec, device="meta")
    saved = sum(saved_bytes(model, WORK.batch(spec, "meta"), spec.loss).values())
    assert held(spec, WORK)[0] == pytest.approx(saved, rel=0.02)


@pytest.mark.parametrize("segments", [None, 3])
@pytest.mark.parametrize("name", ["small", "parallel"])
def test_without_values_it_is_what_a_step_with_values_holds(
    name: str, segments: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blockwise, "CACHE", 256)  # a block is made where there are values alone
    more = {"encoder.dropout": 0.1, "decoder.dropout": 0.1}
    spec = spec_of(segments, name, layers=3, **more)
    for found, expected in zip(held(spec, WORK), held(spec, WORK, "cpu"), strict=True):
        assert found == pytest.approx(expected, rel=0.05)


def test_the_step_leaves_no_gradient_and_the_mode_as_it_was() -> None:
    spec = spec_of(2, layers=1)
    model = assemble(spec, device="meta").eval()
    activations(model, WORK.batch(spec, "meta"), spec.loss)
    assert not model.training
    assert all(each.grad is None for each in model.parameters())


@pytest.mark.fast_kernels
def test_segments_save_the_share_that_the_docs_state() -> None:
    """The table of docs/memory.md, at a size where it is quick; shares hardly depend on size."""
    peaks = {each: held(spec_of(each), LARGE)[1] for each in (None, 3, 4, 6)}
    saved = {each: 1 - peak / peaks[None] for each, peak in peaks.items()}
    assert saved[3] > 0.6
    assert 0.6 < saved[4] < saved[3]  # of six layers, three segments have two layers each too
    assert 0.75 < saved[6] < 0.77


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_duration_predictor_is_passed_back_before_the_decoder_holds_most(device: str) -> None:
    model = assemble(spec_of(None, layers=1), device=device)
    order: list[str] = []
    for name in ("duration_predictor", "decoder"):
        first = next(model.get_submodule(name).parameters())
        first.register_post_accumulate_grad_hook(lambda _, name=name: order.append(name))
    activations(model, WORK.batch(spec_of(None), device), spec_of(None).loss)
    assert order == ["duration_predictor", "decoder"]


def layers_of(part: nn.Module) -> CheckpointedStack:
    layers = part.get_submodule("layers")
    assert isinstance(layers, CheckpointedStack)
    return layers


@pytest.mark.fast_kernels
def test_the_last_segment_of_the_decoder_is_kept_and_costs_nothing() -> None:
    spec = spec_of(6)
    model = assemble(spec, device="meta")
    batch = LARGE.batch(spec, "meta")
    of_decoder, of_encoder = layers_of(model.decoder), layers_of(model.encoder)
    assert of_decoder.keeps_last
    assert not of_encoder.keeps_last
    kept = activations(model, batch, spec.loss)
    of_decoder.keeps_last = False
    recomputed = activations(model, batch, spec.loss)
    assert recomputed.kept < kept.kept
    assert recomputed.peak == kept.peak


def test_under_a_postnet_the_decoder_keeps_no_segment() -> None:
    postnet = {"type": "conv", "channels": 8}
    model = assemble(spec_of(2, layers=2, postnet=postnet), device="meta")
    assert not layers_of(model.decoder).keeps_last

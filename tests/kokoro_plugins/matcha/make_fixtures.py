"""Write what Matcha-TTS computes at a small size: ``nox -s fixtures``.

It needs the reference and what that imports, which CI has not; CI reads ``reference.safetensors``.
The reference's package is not imported itself, since it starts by importing its training.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import math
import sys
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

FILE = Path(__file__).parent / "reference.safetensors"
VOCAB, WIDTH, MELS = 12, 8, 4
LENGTHS = [5, 3, 1]
FRAMES = 12
STEPS, TEMPERATURE = 10, 0.667


def reference() -> tuple[Any, Any]:
    """Return the modules of the text encoder and of the flow."""
    spec = importlib.util.find_spec("matcha")
    assert spec is not None
    root = Path(next(iter(spec.submodule_search_locations or ())))
    for name in ("matcha", "matcha.utils", "matcha.models", "matcha.models.components"):
        sys.modules[name] = package = ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
    logger = ModuleType("matcha.utils.pylogger")
    for module in (sys.modules["matcha.utils"], logger):
        module.get_pylogger = logging.getLogger  # type: ignore[attr-defined]
    sys.modules[logger.__name__] = logger
    parts = "text_encoder", "flow_matching"
    text, flow = (importlib.import_module(f"matcha.models.components.{each}") for each in parts)
    return text, flow


def models() -> tuple[nn.Module, Any]:
    """Return the text encoder and the flow, with weights that float16 holds."""
    text, flow = reference()
    encoder = text.TextEncoder(
        "RoPE Encoder",
        SimpleNamespace(
            n_feats=MELS,
            n_channels=WIDTH,
            filter_channels=12,
            n_heads=2,
            n_layers=2,
            kernel_size=3,
            p_dropout=0.0,
            prenet=True,
        ),
        SimpleNamespace(filter_channels_dp=6, kernel_size=3, p_dropout=0.0),
        VOCAB,
    )
    decoder = {"channels": [8, 16], "dropout": 0.0, "attention_head_dim": 3, "num_mid_blocks": 1}
    cfm = flow.CFM(
        2 * MELS,
        MELS,
        SimpleNamespace(solver="euler", sigma_min=1e-4),
        {**decoder, "n_blocks": 1, "num_heads": 2, "act_fn": "snakebeta"},
    )
    generator = torch.Generator().manual_seed(0)
    for module in (encoder.eval(), cfm.eval()):
        for name, each in module.named_parameters():
            drawn = torch.randn(each.shape, generator=generator) * (0.25 if each.dim() > 1 else 0.5)
            gain = name.endswith("gamma") or ("norm" in name and name.endswith("weight"))
            each.data = (drawn + float(gain)).half().double()
    return encoder, cfm


def likeliest(mean: Tensor, mel: Tensor) -> Tensor:
    """Return the durations of the best of all paths (1, N), of mean (1, M, N) and mel (1, M, T)."""
    score = -(mean.unsqueeze(3) - mel.unsqueeze(2)).square().sum(1)[0] / 2
    phonemes, frames = score.shape

    def paths() -> Iterator[list[int]]:
        for inner in combinations(range(1, frames), phonemes - 1):
            yield [end - start for start, end in pairwise((0, *inner, frames))]

    def total(path: list[int]) -> float:
        index = torch.arange(phonemes).repeat_interleave(torch.tensor(path))
        return float(score[index, torch.arange(frames)].sum())

    return torch.tensor([max(paths(), key=total)])


def made() -> dict[str, Tensor]:
    """Return all inputs, weights and results by name."""
    encoder, cfm = models()
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    indices = torch.zeros(len(LENGTHS), LENGTHS[0], dtype=torch.int64)
    for row, length in enumerate(LENGTHS):
        indices[row, :length] = torch.randint(1, VOCAB, (length,), generator=generator)
    mu, log_durations, _ = encoder(indices, torch.tensor(LENGTHS))
    tensors = {"indices": indices, "mu": mu, "log_durations": log_durations}

    mel, noise, times = draw(1, MELS, FRAMES), draw(1, MELS, FRAMES), torch.tensor([[[0.3]]])
    draws: Any = torch
    draws.randn_like, draws.rand = noise.to, lambda *_, **__: times
    mask = torch.ones(1, 1, FRAMES)
    mean, logs, _ = encoder(indices[:1], torch.tensor(LENGTHS[:1]))
    durations = likeliest(mean.detach(), mel)
    expanded = mean.repeat_interleave(durations[0], dim=2)
    flow, between = cfm.compute_loss(mel, mask, expanded)
    prior = (0.5 * ((mel - expanded).square() + math.log(2 * math.pi))).mean()
    weights = draw(1, 1, LENGTHS[0])
    (flow + prior + (logs * weights).sum()).backward()
    tensors |= {"mel": mel, "noise": noise, "times": times, "weights": weights}
    tensors |= {"durations": durations, "flow": flow, "prior": prior}
    tensors["velocity"] = cfm.estimator(between, mask, expanded, times.flatten())
    tensors["spoken"] = cfm(expanded.detach(), mask, STEPS, TEMPERATURE)
    for name, each in [*encoder.named_parameters(), *cfm.estimator.named_parameters()]:
        tensors[f"weight.{name}"], tensors[f"gradient.{name}"] = each.half(), each.grad
    return {name: each.detach().clone().contiguous() for name, each in tensors.items()}


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    # The reference computes its sinusoids and angles in float32, whatever its weights are.
    torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]
    results = made()
    save_file(results, FILE)
    print(f"{FILE}: {FILE.stat().st_size} bytes, {len(results)} tensors")

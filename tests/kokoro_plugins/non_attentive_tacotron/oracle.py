"""Non-Attentive Tacotron by hand: a row at a time, a step at a time, without padding."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F


def lstm_cell(x, hidden, cell, weights):
    """Return the next hidden and cell from the formulas of Hochreiter and Schmidhuber."""
    w_x, w_h, b_x, b_h = weights
    i, f, g, o = (w_x @ x + b_x + w_h @ hidden + b_h).chunk(4)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


def weights_of(lstm, layer=0):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [getattr(lstm, f"{name}_l{layer}") for name in names]


def run(x, weights):
    """Return the outputs (T, C) of an LSTM over a row (T, ·)."""
    hidden = cell = x.new_zeros(weights[1].shape[1])
    made = []
    for step in x:
        hidden, cell = lstm_cell(step, hidden, cell, weights)
        made.append(hidden)
    return torch.stack(made)


def both_ways(x, module):
    for there, back in zip(module.rightward, module.leftward, strict=True):
        left = run(x.flip(0), weights_of(back)).flip(0)
        x = torch.cat([run(x, weights_of(there)), left], dim=1)
    return x


def batch_norm(x, norm):
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return (x - norm.running_mean) * scale + norm.bias


def convolved(x, conv):
    weight, bias = conv.conv.weight, conv.conv.bias
    half = weight.shape[2] // 2
    padded = F.pad(x, (0, 0, half, half))
    return torch.stack(
        [
            sum(weight[:, :, k] @ padded[t + k] for k in range(weight.shape[2])) + bias
            for t in range(len(x))
        ]
    )


def encode(module, indices):
    x = module.embedding.weight[indices]
    for conv, norm in zip(module.convs, module.norms, strict=True):
        x = batch_norm(convolved(x, conv), norm).clamp_min(0)
    return both_ways(x, module.lstm)


def log_durations(module, hidden):
    return (both_ways(hidden, module.lstm) @ module.out.weight.T + module.out.bias)[:, 0]


def upsample(module, hidden, durations):
    """Return the memory (T, H) of a row, each weight from the normal density itself."""
    x = torch.cat([hidden, durations[:, None].to(hidden.dtype)], dim=1)
    out = (both_ways(x, module.lstm) @ module.out.weight.T + module.out.bias)[:, 0]
    sigma = torch.log1p(torch.exp(out)) + 0.01
    frames = []
    for t in range(1, int(durations.sum()) + 1):
        densities, start = [], 0
        for n, duration in enumerate(durations.tolist()):
            centre = start + duration / 2
            density = torch.exp(-((t - centre) ** 2) / (2 * sigma[n] ** 2)) / sigma[n]
            densities.append(density if duration else density * 0)
            start += duration
        row = torch.stack(densities)
        frames.append((row / row.sum()) @ hidden)
    return torch.stack(frames)


def with_places(memory, durations, width):
    rows = []
    for duration in durations.tolist():
        for place in range(duration):
            angles = [place / 10_000 ** (2 * k / width) for k in range(width // 2)]
            rows.append([math.sin(a) for a in angles] + [math.cos(a) for a in angles])
    return torch.cat([memory, memory.new_tensor(rows).reshape(len(memory), width)], dim=1)


def decode(module, memory, frames=None, drop=None):
    """Return the mel of a row (T, M), from true frames or from those that it makes itself."""
    layers = range(module.lstm.num_layers)
    states = [(memory.new_zeros(module.lstm.hidden_size),) * 2 for _ in layers]
    last, made = memory.new_zeros(module.mel_out.out_features), []
    for t, at in enumerate(memory):
        x = last
        for layer, linear in enumerate(module.prenet.layers):
            x = (linear.weight @ x + linear.bias).clamp_min(0)
            x = x if drop is None else x * drop[t][layer]
        x = torch.cat([x, at])
        for layer in layers:
            states[layer] = lstm_cell(x, *states[layer], weights_of(module.lstm, layer))
            x = states[layer][0]
        mel = module.mel_out.weight @ torch.cat([x, at]) + module.mel_out.bias
        made.append(mel)
        last = mel if frames is None else frames[t]
    return torch.stack(made)


def refine(module, mel):
    x, last = mel, len(module.convs) - 1
    for index, (conv, norm) in enumerate(zip(module.convs, module.norms, strict=True)):
        x = batch_norm(convolved(x, conv), norm)
        x = x if index == last else x.tanh()
    return mel + x

"""Pictures of mels, durations and losses; drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from matplotlib.figure import Figure
from torch import Tensor

from kokoro_plugins.training.loop.history import History, LossEntry

SMOOTHING = 10
"""Steps whose mean makes a point of the loss curve."""


def draw_mels(path: Path, mels: Mapping[str, Tensor], title: str) -> None:
    """Draw mels as `mels_picture` does, to a file."""
    mels_picture(mels, title).savefig(path, dpi=110)


def mels_picture(mels: Mapping[str, Tensor], title: str) -> Figure:
    """Draw mels below each other on one scale of time and one of colour.

    Shape:
        mels: each (T, M).
    """
    low = min(float(mel.min()) for mel in mels.values())
    high = max(float(mel.max()) for mel in mels.values())
    longest = max(len(mel) for mel in mels.values())
    figure = _figure(10, 2.2 * len(mels) + 0.6)
    figure.suptitle(title)
    for number, (name, mel) in enumerate(mels.items(), start=1):
        axes = figure.add_subplot(len(mels), 1, number)
        axes.imshow(mel.T.numpy(), origin="lower", aspect="auto", vmin=low, vmax=high)
        axes.set(title=name, ylabel="mel channel", xlim=(0, longest - 1))
    axes.set_xlabel("frame")
    return figure


def alignment_picture(
    symbols: Sequence[str],
    durations: Mapping[str, Sequence[int]],
    soft: Tensor | None,
    title: str,
) -> Figure:
    """Draw which frames belong to which phoneme: durations as steps, on probabilities if any.

    Shape:
        soft: (T, N), each frame's probabilities of the phonemes.
    """
    figure = _figure(8, min(12.0, max(3.2, 0.18 * len(symbols))))
    axes = figure.add_subplot()
    if soft is not None:
        axes.imshow(soft.T.numpy(), origin="lower", aspect="auto", vmin=0, vmax=1)
    for name, color in zip(durations, ("tab:red", "tab:orange"), strict=False):
        ends = [*accumulate(durations[name], initial=0)]
        edges = [end - 0.5 for end in ends]
        label = f"{name} ({ends[-1]} frames)"
        rows = range(len(symbols))
        axes.hlines(rows, edges[:-1], edges[1:], colors=color, linewidth=2, label=label)
    axes.set(title=title, xlabel="frame", ylim=(-0.5, len(symbols) - 0.5))
    axes.set_yticks(range(len(symbols)), symbols, fontsize=7)
    axes.legend(loc="upper left")
    return figure


def _figure(width: float, height: float) -> Figure:
    """Return a figure of so many inches, with margins as wide as titles and labels need."""
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(0.7 / width, 0.55 / height, 0.98, 1 - 0.6 / height, hspace=0.45)
    return figure


def draw_durations(
    path: Path, symbols: Sequence[str], durations: Mapping[str, Sequence[int]], title: str
) -> None:
    """Draw the frames of each phoneme, several durations side by side."""
    figure = Figure(figsize=(max(8, 0.3 * len(symbols)), 3.2), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(durations)
    for number, (name, frames) in enumerate(durations.items()):
        places = [
            index + (number - (len(durations) - 1) / 2) * width for index in range(len(frames))
        ]
        axes.bar(places, frames, width=width, label=f"{name} ({sum(frames)} frames)")
    axes.set(title=title, ylabel="frames", xlim=(-1, len(symbols)))
    axes.set_xticks(range(len(symbols)), symbols)
    axes.legend()
    figure.savefig(path, dpi=110)


def draw_losses(path: Path, history: History) -> None:
    """Draw each term of the loss over the steps, in training and on what was held out.

    The scale is logarithmic, or linear for a term that is not always above 0, such as a likelihood.
    """
    entries = {"training": history.training, "held out": history.validation}
    names = list(
        dict.fromkeys(name for each in entries.values() for e in each for name in e.losses)
    )
    figure = Figure(figsize=(10, 2.4 * len(names)), layout="constrained")
    for number, name in enumerate(names, start=1):
        axes = figure.add_subplot(len(names), 1, number)
        curves = {label: _of_term(each, name) for label, each in entries.items()}
        values = [entry.losses[name] for each in curves.values() for entry in each]
        axes.plot(*_smooth(curves["training"], name), label="training", linewidth=1)
        if curves["held out"]:
            steps = [entry.step for entry in curves["held out"]]
            held_out = [entry.losses[name] for entry in curves["held out"]]
            axes.plot(steps, held_out, label="held out", marker=".")
        axes.set(ylabel=name, yscale="log" if min(values) > 0 else "linear")
        axes.legend()
    axes.set_xlabel("step")
    figure.savefig(path, dpi=110)


def _of_term(entries: Sequence[LossEntry], name: str) -> list[LossEntry]:
    """Return the entries that have a term of the loss."""
    return [entry for entry in entries if name in entry.losses]


def _smooth(entries: Sequence[LossEntry], name: str) -> tuple[list[int], list[float]]:
    """Return the last step and the mean loss of each group of steps."""
    size = SMOOTHING if len(entries) >= 10 * SMOOTHING else 1
    groups = [entries[start : start + size] for start in range(0, len(entries), size)]
    means = [sum(entry.losses[name] for entry in group) / len(group) for group in groups]
    return [group[-1].step for group in groups], means

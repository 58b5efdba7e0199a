"""The cost of a frame by the frames before it, as a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

Curve = dict[int, float]


def curves(result: Mapping[str, Any]) -> dict[str, Curve]:
    """Return milliseconds by frames for each contender of the case ``frame``."""
    found: dict[str, Curve] = defaultdict(dict)
    for each in result["measurements"]:
        found[each["contender"]][each["setting"]["frames"]] = each["median_s"] * 1000
    return dict(found)


def plot_frames(results: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write a picture with a panel for each number of threads.

    Raises:
        ValueError: There is no result of the case ``frame``.
    """
    panels = [result for result in results if result["name"] == "frame"]
    if not panels:
        raise ValueError("`plot_frames` needs a result of the case `frame`; there is none.")
    with mpl.rc_context({"svg.hashsalt": "kokoro", "svg.fonttype": "none"}):
        figure = Figure(figsize=(5.5 * len(panels), 4.2), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axis, result in zip(axes, panels, strict=True):
            _panel(axis, result)
        figure.savefig(path, metadata={"Date": None})


def _panel(axis: Any, result: Mapping[str, Any]) -> None:
    for name, curve in curves(result).items():
        style = "--" if name.startswith("floor") else "-"
        lengths = sorted(curve)
        axis.plot(lengths, [curve[each] for each in lengths], style, marker=".", label=name)
    threads = result["threads"]
    axis.set(
        title=f"one frame of one row, {threads} thread{'' if threads == 1 else 's'}",
        xlabel="frames before it",
        ylabel="milliseconds, median",
        xscale="log",
        yscale="log",
    )
    axis.grid(visible=True, which="both", alpha=0.3)
    axis.legend(fontsize="x-small")

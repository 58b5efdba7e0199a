"""Speaks from files of `kokoro-core export --to onnx` by numpy and onnxruntime, without torch.

    python -m kokoro_plugins.export.runner model.onnx out.wav "A text."

The classes need no other file, so that they can be copied; `main` reads texts by the frontend that
the model was trained with.
"""

from __future__ import annotations

import json
import os
import sys
import wave
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


class Graph:
    """A graph that is called with arrays by name; what it has no input for is passed over."""

    def __init__(self, file: str, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            file, options, providers=["CPUExecutionProvider"]
        )
        self._inputs = {each.name for each in self.session.get_inputs()}
        self._outputs = [each.name for each in self.session.get_outputs()]

    def __call__(self, given: Arrays) -> Arrays:
        """Return what the graph makes, by name."""
        fed = {name: each for name, each in given.items() if name in self._inputs}
        return dict(zip(self._outputs, self.session.run(None, fed), strict=True))


class Runner:
    """Speaks from a file, and from those of the steps beside it if the model makes steps.

    Args:
        file: The file that the command was given.
        threads: How many onnxruntime may use; 0: as many as there are cores.
    """

    def __init__(self, file: str | os.PathLike[str], threads: int = 0) -> None:
        self._first = Graph(os.fspath(file), threads)
        metadata = self._first.session.get_modelmeta().custom_metadata_map
        self.about = json.loads(metadata["kokoro"])
        self._index = {each: index for index, each in enumerate(self.about["symbols"])}
        stem = os.fspath(file).removesuffix(".onnx")
        parts = ("step", "finish") if self.about.get("frames_of_a_step") else ()
        self._parts = [Graph(f"{stem}.{part}.onnx", threads) for part in parts]

    def speak(self, symbols: Sequence[str], speed: float = 1.0, **given: NDArray[Any]) -> Arrays:
        """Return `samples` (1, S) or `mel` (1, T, M), and `durations` (1, N) if there is a plan."""
        indices = np.array([[self._index[each] for each in symbols]], np.int64)
        fed: Arrays = {"phoneme_indices": indices, "speed": np.array([speed], np.float32)}
        for name, each in self.about["inputs"].items():
            if "default" in each:
                fed[name] = np.array(each["default"], np.float32)
        made = self._first({**fed, **given})
        if not self._parts:
            return made
        step, finish = self._parts
        spoken = finish({"frames": stepped(step, made, self.about["frames_of_a_step"])})
        return {**spoken, **{name: made[name] for name in ("durations",) if name in made}}


def stepped(
    step: Callable[[Arrays], Arrays], planned: Arrays, shape: Sequence[int]
) -> NDArray[Any]:
    """Return the frames (1, T, M) of all steps from a plan on, to its end or the last frame.

    Args:
        step: Makes one group of frames from that before it.
        planned: The state before the first, and how many `frames` there may be.
        shape: Of a group.
    """
    state = {name: each for name, each in planned.items() if name.startswith("state_")}
    most, made, ends = int(planned["frames"]), [np.zeros(shape, np.float32)], np.zeros((1, 0), bool)
    while ends.shape[1] < most and not ends.any():
        after = step({"frames": made[-1], **state})
        made.append(after.pop("mel"))
        ends = np.concatenate([ends, after.pop("ends")], axis=1)
        state |= {name.replace("next_", "state_", 1): each for name, each in after.items()}
    length = int(ends[0].argmax()) + 1 if ends.any() else most
    return np.concatenate(made[1:], axis=1)[:, : min(length, most)]


def main(file: str, out: str, text: str) -> None:
    """Write a wav of a text."""
    from kokoro_core import load_spec

    runner = Runner(file)
    spec = load_spec(runner.about["spec"])
    assert spec.frontend is not None
    frontend = spec.frontend.build(spec.sizes)
    parts = [runner.speak(frontend.phonemize(each)) for each in frontend.sentences(text)]
    samples = np.concatenate([each["samples"][0] for each in parts])
    with wave.open(out, "wb") as sound:
        sound.setparams((1, 2, runner.about["sample_rate"], 0, "NONE", ""))
        sound.writeframes((samples * 32767).clip(-32768, 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:4])

"""Speaks from a file of `kokoro-core export --to onnx` by numpy and onnxruntime, without torch.

    python -m kokoro_plugins.export.runner model.onnx out.wav "A text."

The class needs no other file, so that it can be copied; `main` reads texts by the frontend that the
model was trained with.
"""

from __future__ import annotations

import json
import os
import sys
import wave
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray


class Runner:
    """Speaks from a file.

    Args:
        file: The file.
        threads: How many onnxruntime may use; 0: as many as there are cores.
    """

    def __init__(self, file: str | os.PathLike[str], threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            os.fspath(file), options, providers=["CPUExecutionProvider"]
        )
        self.about = json.loads(self._session.get_modelmeta().custom_metadata_map["kokoro"])
        self._index = {each: index for index, each in enumerate(self.about["symbols"])}

    def speak(
        self, symbols: Sequence[str], speed: float = 1.0, **given: NDArray[Any]
    ) -> dict[str, NDArray[Any]]:
        """Return `samples` (1, S) or `mel` (1, T, M), and `durations` (1, N) if there is a plan."""
        indices = np.array([[self._index[each] for each in symbols]], np.int64)
        fed = {"phoneme_indices": indices, "speed": np.array([speed], np.float32)}
        for name, each in self.about["inputs"].items():
            if "default" in each:
                fed[name] = np.array(each["default"], np.float32)
        known = {each.name for each in self._session.get_inputs()}
        names = [each.name for each in self._session.get_outputs()]
        wanted = {name: each for name, each in {**fed, **given}.items() if name in known}
        return dict(zip(names, self._session.run(names, wanted), strict=True))


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

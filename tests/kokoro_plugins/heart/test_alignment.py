"""The shipped voice finds the durations of recordings, here of those whose times are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kokoro_plugins.speech.durations_file import read_durations
from kokoro_plugins.speech.preparing.prepare import prepare
from kokoro_plugins.speech.preparing.settings import PrepareSettings, SoundSettings

FRAME = 300 / 24000


def ends(folder: Path) -> dict[str, np.ndarray]:
    found = read_durations((folder / "durations.csv").read_text("utf-8").split("\n"))[0]
    return {name: np.cumsum(each.frames)[:-1] * FRAME for name, each in found.items()}


def test_its_own_recordings_are_aligned_within_25_ms(tmp_path: Path) -> None:
    pytest.importorskip("hibari")
    pytest.importorskip("onnx")
    from kokoro_plugins.hibari.making import make_corpus
    from kokoro_plugins.hibari.package import package_version
    from kokoro_plugins.hibari.recipe import Recipe

    data, out = tmp_path / "data", tmp_path / "out"
    make_corpus(data, Recipe(6, 0, 1, "reporting", package_version()))
    true = ends(data)
    (data / "durations.csv").unlink()
    settings = PrepareSettings(checkpoint=Path("heart"), sound=SoundSettings(None, None), holdout=1)
    made = prepare(data, out, None, settings)
    assert made.spec.vocoder is not None
    assert made.spec.vocoder.type == "vocos"
    errors = np.concatenate([np.abs(ends(out)[name] - each) for name, each in true.items()])
    assert np.mean(errors <= 0.025 + 1e-9) > 0.95

"""The runner: an ONNX file speaks text where there is no torch."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np

from kokoro_core import KokoroModel
from tests.kokoro_plugins.export.heart import SENTENCES, spoken_by, symbols_of

ALONE = """
import json, sys
from kokoro_plugins.export.runner import Runner, main

file, out, text = sys.argv[1:]
main(file, out, text)
from kokoro_core import load_spec

runner = Runner(file, threads=1)
spec = load_spec(runner.about["spec"])
made = runner.speak(spec.frontend.build(spec.sizes).phonemize(text))
faster = runner.speak(spec.frontend.build(spec.sizes).phonemize(text), speed=2.0)
assert "torch" not in sys.modules
durations, fast = (each["durations"][0].tolist() for each in (made, faster))
print(json.dumps({"durations": durations, "fast": sum(fast), "peak": float(made["samples"].max())}))
"""


TEN = """
import json, sys
import numpy
from kokoro_plugins.export.runner import Runner

file, out, told = sys.argv[1:]
runner = Runner(file, threads=1)
made = [runner.speak(each) for each in json.loads(told)]
assert not {"torch", "kokoro_core"} & set(sys.modules)
arrays = {f"{name}{n}": each[name] for n, each in enumerate(made) for name in each}
numpy.savez(out, **arrays)
"""


def test_ten_sentences_are_spoken_by_numpy_and_onnxruntime_as_the_checkpoint_speaks_them(
    heart: KokoroModel, heart_files: Path, tmp_path: Path
) -> None:
    told, out = json.dumps([symbols_of(heart, each) for each in SENTENCES]), tmp_path / "all.npz"
    file = heart_files / "heart.onnx"
    command = [sys.executable, "-c", TEN, str(file), str(out), told]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = np.load(out)
    for number, text in enumerate(SENTENCES):
        expected, durations = spoken_by(heart, text)
        assert made[f"durations{number}"][0].tolist() == durations
        assert abs(made[f"samples{number}"][0] - expected).max() < 1e-3


def test_a_text_is_spoken_without_torch_as_the_checkpoint_speaks_it(
    heart: KokoroModel, heart_files: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.wav"
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(heart_files / "heart.onnx"), str(out), SENTENCES[1]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    expected, durations = spoken_by(heart, SENTENCES[1])
    assert told["durations"] == durations
    assert told["fast"] < 0.6 * sum(durations)
    with wave.open(str(out)) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (24_000, 1)
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32767
    assert samples.shape == expected.shape
    assert abs(samples - expected).max() < 1e-3
    assert abs(told["peak"] - expected.max()) < 1e-4

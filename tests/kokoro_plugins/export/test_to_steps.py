"""Exporting an autoregressive model: three graphs speak as the checkpoint, step by step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.errors import ExportError
from kokoro_plugins.export import to_steps
from kokoro_plugins.export.export import export_model
from kokoro_plugins.export.runner import stepped
from tests.kokoro_core.exporting.small import NARROW, long_phonemes, small_model

pytest.importorskip("onnxscript", reason="needs the extra `onnx`")

SYMBOLS = {"type": "symbols", "symbols": [f"s{n}" for n in range(63)]}
SMALL: dict[str, Any] = {"hidden_dim": 16, "frontend": SYMBOLS}

ALONE = """
import sys
import numpy
from kokoro_plugins.export.runner import Runner

file, out = sys.argv[1:]
made = Runner(file, threads=1).speak([f"s{n}" for n in (3, 9, 27, 18, 54, 60, 2)], speed=0.9)
assert "torch" not in sys.modules
numpy.savez(out, **made)
"""


def spoken_without_torch(file: Path, folder: Path) -> dict[str, Any]:
    out = folder / "out.npz"
    code = [sys.executable, "-c", ALONE, str(file), str(out)]
    done = subprocess.run(code, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(np.load(out))


def test_the_runner_speaks_as_the_checkpoint_without_torch(tmp_path: Path) -> None:
    model = small_model("small", **NARROW, frontend=SYMBOLS)
    long_phonemes(model)
    report = export_model(model, tmp_path / "model.onnx", to="onnx", texts=["s3 s4 s5 s6"])
    assert [each.name for each in report.files] == [
        "model.onnx",
        "model.step.onnx",
        "model.finish.onnx",
    ]
    assert report.largest < 1e-4
    assert all((each.frames or 0) > 2 * each.phonemes for each in report.differences)
    made = spoken_without_torch(report.files[0], tmp_path)
    phonemes = torch.tensor([[3, 9, 27, 18, 54, 60, 2]])
    expected, audio = model.generate(phonemes, speed=0.9), model.spec.audio
    assert audio is not None
    assert expected.durations is not None
    assert made["durations"].tolist() == expected.durations.tolist()
    log_mel = expected.mel * audio.std + audio.mean
    np.testing.assert_allclose(made["mel"], log_mel.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "changes"),
    [
        ("non-attentive-tacotron-small", {"decoder.lstm_dim": 16, "encoder.num_layers": 1}),
        ("speecht5-small", {"encoder.num_layers": 1, "decoder.num_layers": 1}),
        ("latent-small", {"encoder.num_layers": 1, "decoder.num_layers": 1}),
    ],
)
def test_named_specs_that_make_steps_are_exported(
    spec: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    """They draw numbers in steps, have recurrent states, no plan, groups of frames, a postnet."""
    model = small_model(spec, **{"frontend": SYMBOLS, **changes})
    report = export_model(model, tmp_path / "model.onnx", to="onnx")
    assert [each.phonemes for each in report.differences] == [5, 17, 31]
    assert all(each.largest < 1e-3 * max(1.0, each.scale) for each in report.differences)


def group(*ends: bool) -> dict[str, Any]:
    return {"mel": np.zeros((1, len(ends), 1), np.float32), "ends": np.array([[*ends]])}


@pytest.mark.parametrize(
    ("groups", "most", "frames"),
    [
        ([(False, False), (False, False), (False, False)], 5, 5),
        ([(False, False), (True, True)], 8, 3),
        ([(False, True)], 8, 2),
        ([(False, False), (False, True)], 3, 3),
    ],
)
def test_steps_go_on_to_the_first_last_frame_or_the_plans_end(groups, most, frames):
    fed, left = [], [group(*each) for each in groups]

    def step(given):
        fed.append((given["frames"].copy(), int(given["state_position"])))
        made = left.pop(0)
        made["mel"] += len(fed)
        return {**made, "next_position": np.array(len(fed) * 2)}

    planned = {"frames": np.array(most), "state_position": np.array(0), "durations": np.zeros(1)}
    made = stepped(step, planned, [1, 2, 1])
    assert made[0, :, 0].tolist() == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0][:frames]
    assert [position for _, position in fed] == [0, 2, 4][: len(fed)]
    assert [float(each.mean()) for each, _ in fed] == [0.0, 1.0, 2.0][: len(fed)]
    assert not left


def test_a_speakers_vector_that_goes_into_the_state_as_it_is_stays_an_input(
    tmp_path: Path,
) -> None:
    narrow = {
        **{"hidden_dim": 16, "encoder.num_layers": 1, "encoder.num_heads": 2, "encoder.ff_dim": 16},
        **{"decoder.num_layers": 1, "decoder.num_heads": 2, "decoder.ff_dim": 16},
        **{"decoder.guided_heads": 0, "decoder.prenet_dim": 8, "decoder.prenet_dropout": 0.0},
        **{"decoder.speaker_dim": 6, "postnet": None, "frontend": SYMBOLS},
    }
    torch.manual_seed(0)
    model = KokoroModel.from_spec("speecht5-small", overrides=narrow).eval().requires_grad_(False)
    report = export_model(model, tmp_path / "model.onnx", to="onnx")
    assert report.largest < 1e-4


def test_the_ending_of_the_file_is_that_of_onnx(tmp_path: Path) -> None:
    model = small_model("small", **NARROW, frontend=None)
    with pytest.raises(ValueError, match=r"`.*model.bin` must end in `.onnx`"):
        export_model(model, tmp_path / "model.bin", to="onnx")


def test_what_differs_from_its_checkpoint_leaves_none_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx = pytest.importorskip("onnx")
    empty = onnx.helper.make_model(onnx.helper.make_graph([], "nothing", [], []))

    def refuse(*_: object) -> None:
        assert len(list(tmp_path.rglob("*.onnx"))) == 3
        raise ExportError("not the same")

    model: KokoroModel = small_model("small", **NARROW, frontend=None)
    graph = type("Graph", (), {"decoder": model.acoustic.decoder})
    traced = dict.fromkeys(to_steps.PARTS, (graph, None))
    monkeypatch.setattr(to_steps, "trace_steps", lambda *_: traced)
    monkeypatch.setattr(to_steps, "names_of", lambda _: None)
    monkeypatch.setattr(to_steps, "converted", lambda *_: empty)
    monkeypatch.setattr(to_steps, "Session", lambda _: None)
    monkeypatch.setattr(to_steps, "compared", refuse)
    with pytest.raises(ExportError, match="not the same"):
        export_model(model, tmp_path / "model.onnx", to="onnx")
    assert not list(tmp_path.iterdir())

"""``synthesize``: a checkpoint and a text give a wav, or one line that says why not."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kokoro_core.api import KokoroModel
from kokoro_core.cli.app import main
from kokoro_core.cli.synthesize import Precision, write_wav

TINY = {
    "hidden_dim": 16,
    "encoder.num_layers": 1,
    "encoder.num_heads": 2,
    "encoder.ff_dim": 16,
    "decoder.num_layers": 1,
    "decoder.num_heads": 2,
    "decoder.ff_dim": 16,
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    fast = {**TINY, "vocoder.iterations": 1}
    model = KokoroModel.from_spec("small", overrides=fast)
    [stop_bias] = [p for name, p in model.named_parameters() if "stop" in name and p.dim() == 1]
    torch.nn.init.constant_(stop_bias, -100.0)  # goes on until a limit
    model.save(path)
    return path


def status_of(*args: str | Path) -> object:
    with pytest.raises(SystemExit) as caught:
        main([str(each) for each in args])
    return caught.value.code


def test_a_text_becomes_a_wav_of_the_length_that_is_reported(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.wav"
    assert status_of("synthesize", checkpoint, "Hello.", "--out", out, "--json") == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    with wave.open(str(out)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (22050, 2, 1)
        assert file.getnframes() == 256 * report["frames"]
        assert report["audio_seconds"] == pytest.approx(file.getnframes() / 22050)
    assert report["frames"] > 0
    assert report["stop_reason"]


def test_the_text_comes_from_a_file_or_the_standard_input_and_the_limit_holds(
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text, out = tmp_path / "text.txt", tmp_path / "x.wav"
    text.write_text("A long enough sentence.", encoding="utf-8")
    options = ("--out", out, "--max-mel-len", "2")
    assert status_of("synthesize", checkpoint, "--text-file", text, *options) == 0
    assert "(2 frames)" in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.StringIO("Another one."))
    assert status_of("synthesize", checkpoint, "-", *options) == 0


@pytest.mark.parametrize("dtype", [None, *Precision])
def test_the_decoder_speaks_in_the_precision_that_is_asked_for(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: Precision | None
) -> None:
    asked: list[Any] = []
    generate = KokoroModel.generate

    def watched(self: KokoroModel, *args: Any, **options: Any) -> Any:
        asked.append(options["dtype"])
        return generate(self, *args, **options)

    monkeypatch.setattr(KokoroModel, "generate", watched)
    option = () if dtype is None else ("--dtype", dtype)
    out = tmp_path / "x.wav"
    assert status_of("synthesize", checkpoint, "Hi.", "--out", out, *option) == 0
    types = {
        "float32": torch.float32,
        "bfloat16": torch.bfloat16,
        "float16": torch.float16,
        "int8": torch.int8,
    }
    assert asked == [None if dtype is None else types[dtype]]
    assert out.stat().st_size > 44


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "needs one text"),
        (("a", "--text-file", "b"), "needs one text"),
        (("",), "`text` is empty"),
        (("你好",), "of another script"),
        (("hi", "--speed", "0"), "`speed` must be a number above 0"),
        (("hi", "--device", "abacus"), "`--device abacus` is not on this machine; it has cpu"),
        (("hi", "--out", "no/where/x.wav"), "the folder `no/where` does not exist"),
        (("--text-file", "none.txt"), "`none.txt`: No such file or directory."),
    ],
)
def test_bad_input_is_one_line(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert status_of("synthesize", checkpoint, *args) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert message in captured.err


def test_a_model_without_a_frontend_cannot_speak_from_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mute.safetensors"
    KokoroModel.from_spec("small", overrides={**TINY, "frontend": None}).save(path)
    assert status_of("synthesize", path, "hi", "--out", tmp_path / "x.wav") == 1
    assert "spec has no `frontend`" in capsys.readouterr().err


def test_samples_are_written_as_16_bit_numbers(tmp_path: Path) -> None:
    samples = torch.tensor([0.0, 1.0, -1.0, 0.5, 2.0])
    write_wav(tmp_path / "x.wav", samples, 8000)
    with wave.open(str(tmp_path / "x.wav")) as file:
        written = np.frombuffer(file.readframes(9), dtype="<i2")
    assert written.tolist() == [0, 32767, -32767, 16384, 32767]

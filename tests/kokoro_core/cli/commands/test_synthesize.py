"""``synthesize``: a checkpoint and a text give a wav, or one line that says why not."""

from __future__ import annotations

import io
import json
import os
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kokoro_core.api import KokoroModel
from kokoro_core.cli.app import main
from kokoro_core.cli.commands.synthesize import Precision
from kokoro_core.generation.ends import RowEnds
from kokoro_core.speech import speak, write_wav

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
    assert status_of("synthesize", checkpoint, "--text-file", text, *options) == 1
    assert "(2 frames)" in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.StringIO("Another one."))
    assert status_of("synthesize", checkpoint, "-", *options) == 1
    assert "(2 frames)" in capsys.readouterr().out


def test_words_that_the_limit_cuts_off_are_said_and_the_status_is_1(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each phoneme of this model lasts a frame: 'The cat' has 7 symbols, so 'sat' is cut."""
    out = tmp_path / "x.wav"
    args = (checkpoint, "The cat sat, my friend.", "--out", out, "--max-mel-len", "8")
    assert status_of("synthesize", *args) == 1
    captured = capsys.readouterr()
    assert "only 8 of 20 planned frames were spoken, ended by max_mel_len" in captured.err
    assert "not spoken: 'sat, my friend.'; raise `max_mel_len`, or speak" in captured.err
    assert len(captured.err.splitlines()) == 1
    assert out.stat().st_size == 44 + 2 * 8 * 256
    assert status_of("synthesize", *args, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["is_complete"] is False
    assert (report["frames"], report["planned_frames"]) == (8, 20)
    assert report["unspoken"] == "sat, my friend."


def _stopping_after(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every row end by its stop token after so many frames."""
    note = RowEnds.note

    def stop(self: RowEnds, mel: Any, stop_logits: Any, first: int) -> None:
        stop_logits = torch.full_like(stop_logits, -9.0)
        stop_logits[:, max(0, frames - 1 - first) :] = 9.0
        if first + mel.shape[1] < frames:
            stop_logits[:] = -9.0
        note(self, mel, stop_logits, first)

    monkeypatch.setattr(RowEnds, "note", stop)
    monkeypatch.setattr(RowEnds, "any_ends", lambda *_: True)


@pytest.mark.parametrize(("frames", "status"), [(3, 1), (15, 1), (16, 0), (20, 0)])
def test_a_stop_token_before_80_percent_of_the_plan_has_lost_words(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    frames: int,
    status: int,
) -> None:
    _stopping_after(frames, monkeypatch)
    args = (checkpoint, "The cat sat, my friend.", "--out", tmp_path / "x.wav")
    assert status_of("synthesize", *args) == status
    captured = capsys.readouterr()
    assert f"({frames} frames), ended by " in captured.out
    said = f"only {frames} of 20 planned frames were spoken, ended by stop_token"
    assert (said in captured.err) == bool(status)
    assert ("; raise `stop_threshold`, or train" in captured.err) == bool(status)


def test_a_model_whose_first_frame_is_not_finite_says_so(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = KokoroModel.load(checkpoint)
    with torch.no_grad():
        model.acoustic.get_parameter("decoder.mel_out.bias").fill_(float("inf"))
    with pytest.raises(ValueError, match="first frame is not finite, so nothing was spoken"):
        speak(model, "Hello.")


def test_what_is_surely_misread_is_said_and_the_status_is_1(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.wav"
    text, plain = "It cost $260 million.", ("--set", "frontend.normalizer=null")
    assert status_of("synthesize", checkpoint, text, "--out", out, *plain) == 1
    assert "`text` has '$260', of which the sign is read before" in capsys.readouterr().err
    assert out.exists()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_checkpoint_of_another_precision_speaks(
    checkpoint: Path, tmp_path: Path, dtype: torch.dtype
) -> None:
    path, out = tmp_path / "other.safetensors", tmp_path / "x.wav"
    KokoroModel.load(checkpoint).to(dtype).save(path)
    assert status_of("synthesize", path, "Hello.", "--out", out) == 0
    assert out.stat().st_size > 44


def test_a_model_with_side_inputs_is_refused(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = KokoroModel.load(checkpoint)
    needing = property(lambda self: frozenset({"speaker"}))
    monkeypatch.setattr(type(model.spec.encoder), "needs", needing)
    with pytest.raises(ValueError, match=r"needs side inputs .*`speaker` \(the encoder\)"):
        speak(model, "Hello.")


def test_warnings_that_are_not_the_frontends_go_on_to_the_caller(checkpoint: Path) -> None:
    model = KokoroModel.load(checkpoint).train()
    with pytest.warns(UserWarning, match="runs in training mode"):
        assert not speak(model, "Hello.").notes


def _refusing(refused: Path, access: Callable[..., bool]) -> Callable[..., bool]:
    """Return `os.access` for a user who may read the path and not write it."""
    return lambda path, mode: not (mode == os.W_OK and path == refused) and access(path, mode)


@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_place_that_may_not_be_written_is_refused_before_the_model_is_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str,
) -> None:
    out = tmp_path / "x.wav"
    if place == "file":
        out.touch()
    refused = out if place == "file" else tmp_path
    monkeypatch.setattr(os, "access", _refusing(refused, os.access))
    assert status_of("synthesize", "no.safetensors", "hi", "--out", out) == 1
    assert f"`--out {out}` may not be written; give another file." in capsys.readouterr().err


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
        (("--text-file", "."), "`.`: Is a directory."),
        (("--text-file", "latin.txt"), "`latin.txt` must be UTF-8 text, but byte 1 is not."),
        (("--text-file", "nul.txt"), r"`text` has '\x00', control characters"),
        (
            ("--phonemes", "--text-file", "long.txt"),
            "knows 5000 positions but the sequence has 75000",
        ),
        (("?!",), "`text` has nothing to speak"),
        (("good \N{GRINNING FACE}",), "pictures or signs"),
        (("hi", "--out", "x.aiff"), "must be a file that ends in .wav, .flac, .ogg, .mp3, or '-'"),
        (("hi", "--timings", "x.srt"), "`--timings x.srt` must end in .json or .vtt."),
        (("hi", "--timings", "no/x.vtt"), "`--timings no/x.vtt`: the folder `no` does not exist"),
        (("hi", "--set", "decoder.dropout=0"), "changes the model that was trained; `synthesize`"),
        (("hi", "--set", "frontend.voice=klingon"), "is no voice of espeak-ng"),
        (("hi", "--pitch", "1.2"), "pitch.control"),
        (("hi", "--stop-threshold", "2"), "`stop_threshold` must be from 0 to 1"),
        (("--phonemes", " "), "`text` is empty; write symbols with blanks between"),
        (("--phonemes", "h q"), "has no index for 'q'"),
        (("hi", "--out", "folder.wav"), "`--out folder.wav` must be a file"),
        (("hi", "--out", "y" * 300 + ".wav"), "File name too long"),
        (("hi", "--device", "cuda:99"), "`--device cuda:99` is not on this machine"),
        (("hi", "--device", "cpu:x"), "`--device cpu:x` is not on this machine"),
        (("hi", "--speed", "nan"), "`speed` must be a number above 0"),
        (("hi", "--max-mel-len", "999999"), "`max_mel_len` must be 100000 or less"),
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
    (tmp_path / "latin.txt").write_bytes("gr\xfc\xdfe".encode("latin-1")[1:])
    (tmp_path / "nul.txt").write_bytes(b"a\0b")
    (tmp_path / "long.txt").write_text("ə " * 75_000, encoding="utf-8")
    (tmp_path / "folder.wav").mkdir()
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

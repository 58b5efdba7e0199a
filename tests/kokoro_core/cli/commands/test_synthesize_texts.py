"""``synthesize`` with more than a sentence: paragraphs, files of sound and of times, tables."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from kokoro_core.api import KokoroModel
from kokoro_core.cli.app import main
from kokoro_core.contracts import Frontend
from kokoro_core.params.sizes import Sizes
from kokoro_core.speaking.pauses import PARAGRAPH, SENTENCE
from kokoro_core.speech import speak, speak_sentences
from kokoro_plugins.speech.frontend_params import EspeakFrontendParams

TINY = {
    "hidden_dim": 16,
    "encoder.num_layers": 1,
    "encoder.num_heads": 2,
    "encoder.ff_dim": 16,
    "decoder.num_layers": 1,
    "decoder.num_heads": 2,
    "decoder.ff_dim": 16,
    "vocoder.iterations": 1,
}
RATE = 22050
TEXT = "The cat sat. Why is it here?\n\nIt cost five dollars!"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose phonemes all last a frame, and which goes on to the end of its plan."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    model = KokoroModel.from_spec("small", overrides=TINY)
    [stop_bias] = [p for name, p in model.named_parameters() if "stop" in name and p.dim() == 1]
    torch.nn.init.constant_(stop_bias, -100.0)
    model.save(path)
    return path


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> KokoroModel:
    return KokoroModel.load(checkpoint)


def status_of(*args: str | Path) -> object:
    with pytest.raises(SystemExit) as caught:
        main([str(each) for each in args])
    return caught.value.code


def test_each_sentence_is_spoken_by_itself_with_silence_by_its_mark(model: KokoroModel) -> None:
    result = speak(model, TEXT)
    texts = ["The cat sat.", "Why is it here?", "It cost five dollars!"]
    assert [each.text for each in result.sentences] == texts
    alone = [speak(model, each) for each in texts]
    for sentence, other in zip(result.sentences, alone, strict=True):
        torch.testing.assert_close(sentence.samples, other.samples, rtol=0, atol=0)
    quiet = [round(SENTENCE * RATE), round(PARAGRAPH * RATE)]
    assert len(result.samples) == sum(len(each.samples) for each in alone) + sum(quiet)
    first = len(alone[0].samples)
    assert not result.samples[first : first + quiet[0]].any()
    assert result.frames == sum(each.frames for each in alone)
    assert result.planned_frames == result.frames
    assert result.is_complete
    assert result.loss is None


def test_a_faster_voice_pauses_for_less_time(model: KokoroModel) -> None:
    fast = speak(model, TEXT, speed=2.0)
    assert [each.pause for each in fast.sentences] == [SENTENCE / 2, PARAGRAPH / 2, SENTENCE / 2]


def test_sentences_come_one_by_one_and_nothing_is_spoken_of_a_text_that_cannot_be(
    model: KokoroModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken: list[int] = []
    generate = KokoroModel.generate

    def watched(self: KokoroModel, *args: Any, **options: Any) -> Any:
        spoken.append(1)
        return generate(self, *args, **options)

    monkeypatch.setattr(KokoroModel, "generate", watched)
    sentences = speak_sentences(model, TEXT)
    assert len(spoken) == 0
    next(sentences)
    assert len(spoken) == 1
    with pytest.raises(ValueError, match="'Tolkien'"):
        speak_sentences(model, "It is. Tolkien came.")
    assert len(spoken) == 1


def test_what_is_lost_of_several_sentences_is_told_with_its_words(model: KokoroModel) -> None:
    result = speak(model, "Go. The cat sat. Yes. The fat cat.", max_mel_len=6)
    assert not result.is_complete
    assert [each.is_complete for each in result.sentences] == [True, False, True, False]
    assert result.unspoken == "sat. … cat."
    assert result.loss == (
        "2 of 4 sentences are not whole; of the first only 6 of 11 planned frames were spoken, "
        "ended by max_mel_len; not spoken: 'sat. … cat.'; raise `max_mel_len`, or speak the text "
        "in parts."
    )


def test_phonemes_that_are_given_are_spoken_to_the_next_end(model: KokoroModel) -> None:
    result = speak(model, "h ə l ˈ oʊ . j ˈ ɛ s", phonemes=True)
    assert [each.text for each in result.sentences] == ["h ə l ˈ oʊ .", "j ˈ ɛ s"]
    assert [each.frames for each in result.sentences] == [6, 4]
    torch.testing.assert_close(
        result.sentences[0].samples, speak(model, "Hello").samples, rtol=0, atol=0
    )


@pytest.mark.parametrize(
    ("suffix", "form"), [(".wav", "WAV"), (".flac", "FLAC"), (".ogg", "OGG"), (".MP3", "MP3")]
)
def test_the_suffix_says_in_which_format_sound_is_written(
    checkpoint: Path, tmp_path: Path, model: KokoroModel, suffix: str, form: str
) -> None:
    out = tmp_path / f"x{suffix}"
    assert status_of("synthesize", checkpoint, TEXT, "--out", out) == 0
    info = soundfile.info(out)
    assert (info.format, info.samplerate, info.channels) == (form, RATE, 1)
    written = soundfile.read(out, dtype="float32")[0]
    expected = speak(model, TEXT).samples.numpy()
    assert abs(len(written) - len(expected)) <= 2304
    if form in ("WAV", "FLAC"):
        np.testing.assert_allclose(written, expected, atol=2 / 32768)


def test_raw_samples_go_to_the_standard_output_sentence_by_sentence(
    checkpoint: Path,
    model: KokoroModel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    written: list[bytes] = []

    class Pipe(io.BytesIO):
        def write(self, chunk: Any) -> int:
            written.append(bytes(chunk))
            return len(chunk)

    class Output(io.TextIOWrapper):
        pass

    monkeypatch.setattr(sys, "stdout", Output(Pipe(), encoding="utf-8"))
    assert status_of("synthesize", checkpoint, TEXT, "--out", "-") == 0
    expected = torch.round(speak(model, TEXT).samples.clamp(-1, 1) * 32767).to(torch.int16)
    assert len([each for each in written if each]) == 3
    np.testing.assert_array_equal(np.frombuffer(b"".join(written), "<i2"), expected.numpy())
    assert "-: " in capsys.readouterr().err


def test_a_json_of_times_has_each_word_and_phoneme(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each phoneme of this model lasts a frame of 256 samples."""
    file = tmp_path / "times.json"
    args = (checkpoint, "Go, Ed. Yes.", "--out", tmp_path / "x.wav", "--timings", file)
    assert status_of("synthesize", *args) == 0
    times = json.loads(file.read_text(encoding="utf-8"))
    frame = 256 / RATE
    first, second = times["sentences"]
    assert [each["text"] for each in first["words"]] == ["Go,", "", "Ed.", ""]
    assert [each["symbol"] for each in first["words"][0]["phonemes"]] == ["ɡ", "ˈ", "oʊ"]
    assert first["words"][0]["end"] == pytest.approx(3 * frame, abs=1e-9)
    assert first["words"][2]["start"] == pytest.approx(4 * frame, abs=1e-9)
    assert first["end"] == pytest.approx(8 * frame, abs=1e-9)
    start = first["end"] + round(SENTENCE * RATE) / RATE
    assert second["start"] == pytest.approx(start, abs=1e-9)
    assert second["words"][0]["start"] == second["start"]
    assert times["seconds"] == pytest.approx(second["end"], abs=1e-9)


def test_a_vtt_has_a_cue_a_sentence_with_the_time_of_each_word(
    checkpoint: Path, tmp_path: Path
) -> None:
    file = tmp_path / "times.vtt"
    args = (checkpoint, "Go, Ed. Yes & no.", "--out", tmp_path / "x.wav", "--timings", file)
    assert status_of("synthesize", *args) == 0
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[:4] == [
        "WEBVTT",
        "",
        "00:00:00.000 --> 00:00:00.093",
        "<00:00:00.000>Go, <00:00:00.046>Ed.",
    ]
    assert lines[5].startswith("00:00:00.343 --> 00:00:00.")
    assert "&amp;" in lines[6]


def test_a_model_without_durations_has_no_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "free.safetensors"
    free = {**TINY, "duration_predictor": None, "regulator": None, "decoder.add_memory": False}
    KokoroModel.from_spec("small", overrides=free).save(path)
    args = (path, "hi", "--out", tmp_path / "x.wav", "--timings", tmp_path / "x.vtt")
    assert status_of("synthesize", *args) == 1
    assert "`--timings` needs the durations of phonemes, but `small`" in capsys.readouterr().err


def test_frontend_vocoder_and_generation_can_be_set(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("Tolkien  t ˈ ɑː\n", encoding="utf-8")
    sets = ["frontend.normalizer={type: english}", f"frontend.lexicon=@{words}"]
    sets += ["vocoder.iterations=2", "generation.min_frames=3"]
    args = [part for each in sets for part in ("--set", each)]
    out = tmp_path / "x.wav"
    assert status_of("synthesize", checkpoint, "Tolkien!", "--out", out, "--json", *args) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["frames"], report["sentences"]) == (12, 1)
    assert status_of("synthesize", checkpoint, "It cost $5 million.", "--out", out, *args) == 0


def test_a_table_has_a_text_a_row_and_each_its_file(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "texts.csv"
    table.write_text(
        'out,text,speed\na.wav,"Go, Ed.",\nb.flac,Yes. No.,0.5\nc.wav,Tolkien.,\n', encoding="utf-8"
    )
    args = (checkpoint, "--file", table, "--out", tmp_path, "--json")
    assert status_of("synthesize", *args) == 1
    captured = capsys.readouterr()
    first, second, third = json.loads(captured.out)
    assert (first["frames"], second["sentences"]) == (8, 2)
    assert soundfile.info(tmp_path / "a.wav").frames == 8 * 256
    assert soundfile.info(tmp_path / "b.flac").frames > 0
    assert "in 'Tolkien.', for which" in third["error"]
    assert not (tmp_path / "c.wav").exists()
    assert len(captured.err.splitlines()) == 1


def test_what_speaks_is_built_once_for_all_rows_of_a_table(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[object] = []
    build = EspeakFrontendParams.build

    def counted(params: EspeakFrontendParams, sizes: Sizes) -> Frontend:
        built.append(sizes)
        return build(params, sizes)

    monkeypatch.setattr(EspeakFrontendParams, "build", counted)
    table = tmp_path / "texts.csv"
    table.write_text("out,text\na.wav,Go.\nb.wav,Yes.\nc.wav,No.\n", encoding="utf-8")
    assert status_of("synthesize", checkpoint, "--file", table, "--out", tmp_path) == 0
    assert len(built) == 1


WRONG_ROWS = {
    "empty.wav,,": "`texts.csv`, line 3, must have a file and a text",
    "blank.wav, ,": "line 3, must have a file and a text",
    ",Yes.,": "line 3, must have a file and a text",
    "more.wav,Yes.,1,2": "line 3, must have a file and a text, and no more cells than the head",
    "b/a.wav,Yes.,": "line 3, must have a plain file name, not 'b/a.wav'",
    "word.wav,Yes.,fast": "line 3, must have numbers for `speed` and `seed`",
    "zero.wav,Yes.,0": "zero.wav: `speed` must be",
    "nan.wav,Yes.,nan": "nan.wav: `speed` must be",
    "a.aiff,Yes.,": "a.aiff` must be a file that ends in .wav",
}


def test_a_row_that_cannot_be_spoken_is_told_and_the_others_are_spoken(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for row, message in WRONG_ROWS.items():
        table = Path("texts.csv")
        table.write_text(f"out,text,speed\na.wav,Yes.,\n{row}\nb.wav,No.,\n", encoding="utf-8")
        assert status_of("synthesize", checkpoint, "--file", table, "--json") == 1
        captured = capsys.readouterr()
        reports = json.loads(captured.out)
        assert [each.get("frames") is None for each in reports] == [False, True, False]
        assert message in captured.err
        assert len(captured.err.splitlines()) == 1
        for spoken in ("a.wav", "b.wav"):
            Path(spoken).unlink()
        assert [each.name for each in tmp_path.iterdir()] == ["texts.csv"]


def test_a_cell_of_two_lines_is_two_words(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "texts.csv"
    table.write_text('out,text\na.wav,"Go\nEd."\nb.wav,Go Ed.\n', encoding="utf-8")
    args = (checkpoint, "--file", table, "--out", tmp_path, "--json")
    assert status_of("synthesize", *args) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["frames"] == second["frames"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("out,text,colour\na.wav,hi,red\n", "has the columns 'colour'; it needs `out` and `text`"),
        ("text\nhi\n", "has no column for both; it needs `out` and `text`, and may have `speaker`"),
        ("out,text\na.wav,hi\na.wav,ho\n", "has `a.wav` twice; each row writes a file"),
        ("out,text\n", "has no row; write one a text"),
        (f"out,text\na.wav,{'x' * 200_000}\n", "`texts.csv` is no CSV after line 1: field larger"),
        (b"out,text\na.wav,\xff\n", "`texts.csv` must be UTF-8, but byte 15 is not"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_line(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    table: str | bytes,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("texts.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    assert status_of("synthesize", checkpoint, "--file", "texts.csv") == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1


@pytest.mark.parametrize("args", [("hi",), ("--timings", "x.vtt"), ("--out", "-")])
def test_a_table_stands_alone(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("texts.csv").write_text("out,text\na.wav,hi\n", encoding="utf-8")
    assert status_of("synthesize", checkpoint, *args, "--file", "texts.csv") == 1
    assert "table of texts has no other text, no `--timings`" in capsys.readouterr().err


def test_a_table_needs_a_folder(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "texts.csv"
    table.write_text("out,text\na.wav,hi\n", encoding="utf-8")
    assert status_of("synthesize", checkpoint, "--file", table, "--out", tmp_path / "no") == 1
    assert "must be a folder for the rows" in capsys.readouterr().err
    assert status_of("synthesize", checkpoint, "hi", "--out", tmp_path) == 1
    assert "; a folder is for the rows of a table, `--file TEXTS.csv`" in capsys.readouterr().err

"""Utterances that do not fit are found among others that do, shown, and left out where asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from kokoro_core import load_spec
from kokoro_core.cli.app import main
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_corpus import write_folder
from kokoro_plugins.speech.preparing.aligning import Aligned
from kokoro_plugins.speech.preparing.measures import lengths_of_sounds, longest_run, measures_of
from kokoro_plugins.speech.preparing.moments import Moments
from kokoro_plugins.speech.preparing.outliers import rank, worst
from kokoro_plugins.speech.preparing.prepare import prepare
from kokoro_plugins.speech.preparing.prepared import Prepared
from kokoro_plugins.speech.preparing.settings import PrepareSettings
from kokoro_plugins.speech.sentences import make_sentences

OTHER_TEXT, FAST, HOLE = "espeak-0003", "espeak-0007", "espeak-0011"


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen sentences without durations, of which three do not fit their recordings."""
    folder = tmp_path_factory.mktemp("odd") / "data"
    mel = MelSpectrogram(audio=AudioSettings())
    write_folder(folder, make_sentences(16, 2), Espeak("en-us+f3"), mel)
    (folder / "durations.csv").unlink()
    lines = (folder / "metadata.csv").read_text("utf-8").splitlines()
    lines[2] = f"{OTHER_TEXT}|A quick brown fox jumps over the lazy dog in town."
    (folder / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    for name, change in ((FAST, lambda x: x[::2]), (HOLE, with_hole)):
        path = folder / "wavs" / f"{name}.wav"
        samples, rate = soundfile.read(path)
        soundfile.write(path, change(samples), rate)
    return folder


def with_hole(samples: np.ndarray) -> np.ndarray:
    """Return samples with 0.7 s of silence where they are loudest."""
    loudest = int(np.abs(samples).argmax())
    return np.concatenate([samples[:loudest], np.zeros(15435), samples[loudest:]])


def test_what_does_not_fit_comes_first_with_its_reason(odd: Path, tmp_path: Path) -> None:
    made = prepare(odd, tmp_path / "out", "quick", PrepareSettings(align="espeak"))
    why = {each.name: each.why for each in made.outliers}
    assert {each.name for each in made.outliers[:3]} == {OTHER_TEXT, FAST, HOLE}
    assert made.outliers[3].score < 6 < made.outliers[2].score
    assert all("usual" in why[name] for name in (OTHER_TEXT, FAST))
    assert "of silence where the text has no pause" in why[HOLE]
    [said] = [each for each in made.advice if "far from the others" in each]
    assert said.startswith("3 of 16 utterances are far")
    assert "--drop-worst 19%" in said


def test_the_worst_are_left_out_with_a_list_and_a_picture_each(odd: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["prepare", str(odd), str(out), "--workers", "0", "--drop-worst", "19%"]
    with pytest.raises(SystemExit) as left:
        main(command)
    assert not left.value.code
    listed = [line.split("|") for line in (out / "dropped.csv").read_text("utf-8").splitlines()]
    assert {name for name, _, _ in listed} == {OTHER_TEXT, FAST, HOLE}
    kept = (out / "metadata.csv").read_text("utf-8")
    assert len(kept.splitlines()) == 13
    assert not any(name in kept for name in (OTHER_TEXT, FAST, HOLE))
    report = (out / "report.html").read_text("utf-8")
    assert report.count("(left out)") == 3
    assert report.index(listed[0][0]) < report.index(listed[2][0])
    made = prepare(odd, out, "quick")
    assert not (out / "dropped.csv").exists()
    assert len(made.utterances) == 16


def test_without_durations_pace_and_silence_are_looked_at_still(odd: Path, tmp_path: Path) -> None:
    spec = load_spec("quick", overrides={"aligner.type": "forward_sum"})
    made = prepare(odd, tmp_path / "out", spec)
    assert {each.name for each in made.outliers[:2]} == {FAST, HOLE}
    assert set(made.utterances[0].measures) == {"pace", "silence"}


def utterance(name: str, **measures: float) -> Prepared:
    return Prepared(
        name=name,
        text="",
        speaker=None,
        language=None,
        symbols=("a",),
        durations=None,
        frames=1,
        num_bytes=0,
        seconds=1.0,
        gain=0.0,
        is_at_peak=False,
        mel=Moments(1, 0.0, 0.0),
        measures=measures,
    )


def test_scores_are_distances_from_the_median_in_robust_deviations() -> None:
    paces = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 40.0, 1.0]
    found = rank([utterance(f"u{n}", pace=pace) for n, pace in enumerate(paces)])
    # the median is 13, the median distance from it 2
    scores = [round(each.score, 6) for each in found[:2]]
    assert scores == [round(27 / (1.4826 * 2), 6), round(12 / (1.4826 * 2), 6)]
    assert found[0].why == "40.0 sounds a second, usual are 13.0"
    assert [each.name for each in worst(found, 0.25)] == ["u7", "u8"]
    assert [each.name for each in worst(found, 0.01)] == ["u7"]
    assert worst(found, 0.0) == []


def test_of_a_few_utterances_none_is_an_outlier() -> None:
    assert rank([utterance(f"u{n}", pace=float(n)) for n in range(7)]) == []


def test_a_stress_mark_lasts_with_its_sound_and_a_pause_is_no_sound() -> None:
    assert lengths_of_sounds(["h", "ˈ", "oʊ", ",", "p"], [3, 1, 4, 9, 2]) == [3, 5, 2]
    assert longest_run(np.array([True, False, True, True, False])) == 2
    assert longest_run(np.zeros(3, bool)) == 0


def test_silence_counts_where_the_text_has_no_pause() -> None:
    audio = AudioSettings()
    tone = (10000 * np.sin(np.arange(256) * 0.3)).astype(np.int16)
    frames = [tone if loud else np.zeros(256, np.int16) for loud in (0, 1, 0, 0, 0, 1, 0, 0, 1, 0)]
    samples = np.concatenate(frames)
    aligned = Aligned(("a", ",", "b"), (2, 3, 5))
    found = measures_of(aligned, samples, 10, audio)
    assert found["silence"] == pytest.approx(2 * 256 / 22050)
    assert found["pace"] == pytest.approx(2 / (10 * 256 / 22050))
    assert found["hurried"] == 0.5
    assert measures_of(Aligned(("a",)), samples, 10, audio)["silence"] == pytest.approx(
        3 * 256 / 22050
    )

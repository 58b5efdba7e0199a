"""Durations from tables, from TextGrids and by warping, each against alignments that are known."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from praatio import textgrid

from kokoro_core import load_spec
from kokoro_core.errors import CorpusError
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.durations_file import Alignment, read_durations
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_corpus import write_folder
from kokoro_plugins.speech.frontend import EspeakFrontend
from kokoro_plugins.speech.preparing.prepare import prepare
from kokoro_plugins.speech.preparing.settings import PrepareSettings, SoundSettings
from kokoro_plugins.speech.preparing.textgrids import AlignedWord, read_words, textgrids_in
from kokoro_plugins.speech.preparing.warping import warp
from kokoro_plugins.speech.preparing.word_alignment import OtherText, places_of, segments_of
from kokoro_plugins.speech.sentences import make_sentences

FRAME = 256 / 22050
AS_IT_IS = SoundSettings(None, None)


def durations_in(folder: Path) -> dict[str, Alignment]:
    return read_durations((folder / "durations.csv").read_text("utf-8").split("\n"))[0]


def without_durations(spoken: Path, data: Path) -> Path:
    shutil.copytree(spoken, data, ignore=shutil.ignore_patterns("durations.csv"))
    return data


def boundary_errors(found: Alignment, true: Alignment) -> list[int]:
    """Return by how many frames each boundary between phonemes is off."""
    assert found.symbols == true.symbols
    pairs = zip(itertools.accumulate(found.frames), itertools.accumulate(true.frames), strict=True)
    return [abs(a - b) for a, b in pairs][:-1]


def test_seconds_in_a_table_become_the_frames_that_they_were(spoken: Path, tmp_path: Path) -> None:
    data = without_durations(spoken, tmp_path / "data")
    lines = [
        f"{name}|{' '.join(each.symbols)}|{' '.join(f'{n * FRAME:.4f}' for n in each.frames)}\n"
        for name, each in durations_in(spoken).items()
    ]
    (tmp_path / "seconds.csv").write_text("".join(lines), encoding="utf-8")
    settings = PrepareSettings(durations=tmp_path / "seconds.csv", sound=AS_IT_IS)
    prepare(data, tmp_path / "out", "quick", settings)
    assert durations_in(tmp_path / "out") == durations_in(spoken)


def test_what_is_cut_from_the_ends_is_taken_off_the_phonemes_there(
    spoken: Path, tmp_path: Path
) -> None:
    settings = PrepareSettings(sound=SoundSettings(-23.0, 0.0))
    made = prepare(spoken, tmp_path / "out", "quick", settings)
    true = durations_in(spoken)
    for each in made.utterances:
        assert each.durations is not None
        assert sum(each.durations) == each.frames < sum(true[each.name].frames)
        inner = slice(1, -2)
        differences = np.subtract(each.durations[inner], true[each.name].frames[inner])
        assert np.abs(differences).max() <= 1
        assert each.durations[-1] < true[each.name].frames[-1]


def test_a_bad_table_is_a_problem_a_line_and_no_more(spoken: Path, tmp_path: Path) -> None:
    table = tmp_path / "seconds.csv"
    table.write_text("espeak-0001|a b|0.5\nother|a|1.0\n", encoding="utf-8")
    with pytest.raises(CorpusError) as caught:
        prepare(spoken, tmp_path / "out", "quick", PrepareSettings(durations=table))
    said = str(caught.value)
    assert "seconds.csv:1: `espeak-0001` must have as many seconds as symbols." in said
    assert "`other` has durations and no recording with a text." in said
    assert "`espeak-0002` has no line in the table of durations." in said


def write_grid(
    path: Path,
    words: list[tuple[float, float, str]],
    phones: list[tuple[float, float, str]],
) -> None:
    grid = textgrid.Textgrid()
    end = phones[-1][1] + 0.1
    grid.addTier(textgrid.IntervalTier("words", words, 0, end))
    grid.addTier(textgrid.IntervalTier("phones", phones, 0, end))
    grid.save(str(path), "long_textgrid", includeBlankSpaces=True)


def grid_of(path: Path, text: str, true: Alignment, frontend: EspeakFrontend) -> None:
    """Write what an aligner would that is right: phones of its own names, and the words."""
    moments = [n * FRAME for n in itertools.accumulate(true.frames, initial=0)]
    places = frontend.positions(text)
    phones, spans = [], dict[int, tuple[float, float]]()
    begun: float | None = None
    for index, symbol in enumerate(true.symbols):
        begun = moments[index] if begun is None else begun
        if symbol in "ˈˌ":
            continue
        if symbol not in ",.?!" and moments[index + 1] > begun:
            phones.append((begun, moments[index + 1], f"P{index}"))
            first = spans.get(places[index], (begun, 0.0))[0]
            spans[places[index]] = (first, moments[index + 1])
        begun = None
    starts = [*sorted(spans), len(text)]
    words = [(*spans[a], text[a:b].strip(" ,.?!")) for a, b in itertools.pairwise(starts)]
    write_grid(path, words, phones)


def test_textgrids_of_an_aligner_that_is_right_give_the_true_durations(
    spoken: Path, frontend: EspeakFrontend, tmp_path: Path
) -> None:
    data = without_durations(spoken, tmp_path / "data")
    true, grids = durations_in(spoken), tmp_path / "grids"
    grids.mkdir()
    for line in (spoken / "metadata.csv").read_text("utf-8").splitlines():
        name, text, _ = line.split("|")
        grid_of(grids / f"{name}.TextGrid", text, true[name], frontend)
    settings = PrepareSettings(align="textgrid", textgrids=grids, sound=AS_IT_IS)
    made = prepare(data, tmp_path / "out", "quick", settings)
    found = durations_in(tmp_path / "out")
    errors = [
        e for each in made.utterances for e in boundary_errors(found[each.name], true[each.name])
    ]
    assert np.mean(np.array(errors) <= 1) > 0.98


GRID = """File type = "ooTextFile"
Object class = "TextGrid"

0
1.5
<exists>
2
"IntervalTier"
"anna - words"
0
1.5
3
0
0.2
""
0.2
0.8
"hello"
0.8
1.5
"there"
"IntervalTier"
"anna - phones"
0
1.5
5
0
0.2
"sil"
0.2
0.5
"HH"
0.5
0.8
"OW1"
0.8
1.2
"DH"
1.2
1.5
"EH1"
"""


def test_a_short_textgrid_with_a_speaker_is_read_without_its_silences(tmp_path: Path) -> None:
    (tmp_path / "x.TextGrid").write_text(GRID, encoding="utf-8")
    assert textgrids_in(tmp_path)["x"] == tmp_path / "x.TextGrid"
    assert read_words(tmp_path / "x.TextGrid") == [
        AlignedWord("hello", (0.2, 0.5, 0.8)),
        AlignedWord("there", (0.8, 1.2, 1.5)),
    ]


def test_a_textgrid_without_phones_is_refused_with_its_tiers(tmp_path: Path) -> None:
    (tmp_path / "x.TextGrid").write_text(GRID.replace("anna - phones", "sounds"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"one tier `phones`, and has 'anna - words', 'sounds'"):
        read_words(tmp_path / "x.TextGrid")
    (tmp_path / "x.TextGrid").write_text("nothing", encoding="utf-8")
    with pytest.raises(ValueError, match="cannot be read as a TextGrid"):
        read_words(tmp_path / "x.TextGrid")


def test_sounds_share_the_phones_of_their_word_and_pauses_take_what_is_between() -> None:
    words = [AlignedWord("hello", (0.0, 0.5, 1.0)), AlignedWord("there", (1.4, 1.6, 2.0))]
    symbols = ["h", "ə", "l", "ˈ", "oʊ", ",", "ð", "ɛ", "."]
    places = [0, 0, 0, 0, 0, 5, 7, 7, 12]
    parts = segments_of(words, "Hello, there.", symbols, places, 1000)
    assert [(each.symbols, each.start) for each in parts] == [
        (("h",), 0),
        (("ə",), 250),
        (("l",), 500),
        (("ˈ", "oʊ"), 750),
        ((",",), 1000),
        (("ð",), 1400),
        (("ɛ",), 1600),
        ((".",), 2000),
    ]
    joined = segments_of(words, "Hello, there.", ["a", "b"], None, 1000)
    assert [each.start for each in joined] == [0, 1400]


def test_a_word_that_is_spoken_with_its_neighbour_gives_its_phones_to_it() -> None:
    words = [AlignedWord("of", (0.0, 0.1, 0.2)), AlignedWord("the", (0.2, 0.3, 0.4))]
    parts = segments_of(words, "of the", ["ʌ", "v", "ð", "ə"], [0, 0, 0, 0], 1000)
    assert [each.start for each in parts] == [0, 100, 200, 300]


def test_words_are_found_in_their_order_whatever_stands_between() -> None:
    words = [AlignedWord(each, (0.0, 1.0)) for each in ("well", "<unk>", "it's", "twenty", "one")]
    assert places_of(words, '"Well," (zyx) It\'s twenty-one!') == [1, 9, 14, 19, 26]


@pytest.mark.parametrize(
    ("aligned", "message"),
    [
        (["the", "dog"], r"has the word 'dog' where the text has 'cat'"),
        (["the", "cat", "slept", "well"], r"has the word 'well' where the text ends"),
        (["the", "cat"], r"goes on with 'slept' after the last aligned word"),
    ],
)
def test_a_text_that_was_changed_after_alignment_is_told_with_the_word(
    aligned: list[str], message: str
) -> None:
    with pytest.raises(OtherText, match=message):
        places_of([AlignedWord(each, (0.0, 1.0)) for each in aligned], "The cat slept.")


def test_a_changed_text_leaves_its_utterance_out_and_names_it(
    spoken: Path, frontend: EspeakFrontend, tmp_path: Path
) -> None:
    data = without_durations(spoken, tmp_path / "data")
    for line in (spoken / "metadata.csv").read_text("utf-8").splitlines():
        name, text, _ = line.split("|")
        grid_of(data / f"{name}.TextGrid", text, durations_in(spoken)[name], frontend)
    lines = (data / "metadata.csv").read_text("utf-8").splitlines()
    lines[0] = lines[0].split("|")[0] + "|Something else."
    (data / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    (data / "espeak-0002.TextGrid").unlink()
    made = prepare(data, tmp_path / "out", "quick", PrepareSettings(leave_out=True))
    assert {kind: len(said) for kind, said in made.problems.of_kind.items()} == {
        "texts that changed after alignment": 1,
        "no TextGrid": 1,
    }


def test_a_mel_is_warped_onto_itself_and_onto_a_slower_one() -> None:
    generator = np.random.default_rng(0)
    mel = generator.normal(size=(30, 8))
    first, distance = warp(mel, mel)
    assert first.tolist() == list(range(30))
    assert distance == pytest.approx(0, abs=1e-6)
    first, _ = warp(mel, mel.repeat(3, axis=0))
    assert first.tolist() == [3 * index for index in range(30)]


@pytest.mark.parametrize("voice", ["en-us+f3", "en-us+m5"])
def test_warping_finds_the_boundaries_of_another_voice(voice: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    mel = MelSpectrogram(audio=AudioSettings())
    write_folder(data, make_sentences(12, 1), Espeak(voice), mel)
    true = durations_in(data)
    (data / "durations.csv").unlink()
    prepare(data, tmp_path / "out", "quick", PrepareSettings(sound=AS_IT_IS, refine=False))
    found = durations_in(tmp_path / "out")
    errors = np.array([e for name in true for e in boundary_errors(found[name], true[name])])
    assert np.mean(errors <= 2) > 0.98


def test_warping_works_at_another_rate_and_hop(spoken: Path, tmp_path: Path) -> None:
    data = without_durations(spoken, tmp_path / "data")
    spec = load_spec(
        "quick",
        overrides={"audio.sample_rate": 24000, "audio.hop_length": 300, "audio.n_fft": 1200},
    )
    made = prepare(data, tmp_path / "out", spec, PrepareSettings(sound=AS_IT_IS))
    true = durations_in(spoken)
    for each in made.utterances:
        assert each.durations is not None
        ends = np.cumsum(each.durations) * 300 / 24000
        true_ends = np.cumsum(true[each.name].frames) * FRAME
        assert np.mean(np.abs(ends - true_ends)[:-1] < 0.025) > 0.95


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (PrepareSettings(align="table"), r"`--align table` needs a table; name it with"),
        (PrepareSettings(align="textgrid"), r"`--align textgrid` finds no .TextGrid there"),
        (PrepareSettings(align="learned"), r"no `aligner`, .* or `--align espeak`"),
    ],
    ids=["table", "textgrid", "learned"],
)
def test_durations_from_nowhere_are_refused_before_the_work(
    settings: PrepareSettings, message: str, spoken: Path, tmp_path: Path
) -> None:
    data = without_durations(spoken, tmp_path / "data")
    with pytest.raises(CorpusError, match=message):
        prepare(data, tmp_path / "out", "quick", settings)
    assert not (tmp_path / "out").exists()


def test_what_espeak_speaks_to_align_by_depends_on_the_text_alone(frontend: EspeakFrontend) -> None:
    first = frontend.speak("Hello there.")[0].samples
    frontend.speak("Another sentence, of another length!")
    assert np.array_equal(frontend.speak("Hello there.")[0].samples, first)

"""The corpus `folder`: what it reads, and that every problem of a folder is in one error."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from kokoro_core.contracts.speech import Corpus, Utterance
from kokoro_core.errors import CorpusError
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.durations_file import Alignment, read_durations, write_durations
from kokoro_plugins.speech.folder import FolderCorpus
from kokoro_plugins.speech.frontend import EspeakFrontend
from kokoro_plugins.speech.metadata_file import read_metadata, write_metadata
from kokoro_plugins.speech.params import FolderCorpusParams
from kokoro_plugins.speech.vocabulary import SYMBOLS

RATE = 22050


def known(corpus: Corpus, index: int) -> Tensor:
    """Return the durations of an utterance that has them, without its mel."""
    durations = corpus.durations_of(index)
    assert durations is not None
    return durations


def aligned(utterance: Utterance) -> Tensor:
    """Return the durations of an utterance that has them."""
    assert utterance.durations is not None
    return utterance.durations


def _write_wav(folder: Path, name: str, num_samples: int, rate: int = RATE) -> None:
    samples = np.sin(np.arange(num_samples) * 0.1) * 0.3
    soundfile.write(folder / "wavs" / f"{name}.wav", samples, rate, "PCM_16")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three utterances by hand: 10, 7 and 4 frames of 256 samples, and a rest that is no frame."""
    (tmp_path / "wavs").mkdir()
    for name, num_samples in (("one", 2560), ("two", 7 * 256 + 255), ("three", 1024)):
        _write_wav(tmp_path, name, num_samples)
    (tmp_path / "metadata.csv").write_text(
        "one|No. 1|Number one.\ntwo|Two!\nthree|Three|Three\n", encoding="utf-8"
    )
    (tmp_path / "durations.csv").write_text(
        "three|θ ɹ ˈ iː|1 1 1 1\none|w ˈ ʌ n .|3 1 4 2 0\ntwo|t ˈ uː !|2 1 4 0\n", encoding="utf-8"
    )
    return tmp_path


@pytest.fixture
def open_folder(
    folder: Path, audio: AudioSettings, frontend: EspeakFrontend
) -> Callable[[], FolderCorpus]:
    return lambda: FolderCorpus(path=folder, audio=audio, frontend=frontend)


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_utterances_come_in_the_order_of_the_metadata(
    open_folder: Callable[[], FolderCorpus], folder: Path
) -> None:
    corpus = open_folder()
    assert len(corpus) == 3
    assert [each.name for each in corpus] == ["one", "two", "three"]
    assert [each.text for each in corpus] == ["Number one.", "Two!", "Three"]
    assert corpus[0].audio_path == folder / "wavs" / "one.wav"
    assert corpus[-1].name == "three"


def test_an_utterance_has_the_indices_durations_and_mel_of_its_files(
    open_folder: Callable[[], FolderCorpus], folder: Path, audio: AudioSettings
) -> None:
    utterance = open_folder()[1]
    assert utterance.phoneme_indices.tolist() == [
        SYMBOLS.index(each) for each in ["t", "ˈ", "uː", "!"]
    ]
    assert aligned(utterance).tolist() == [2, 1, 4, 0]
    assert utterance.phoneme_indices.dtype == aligned(utterance).dtype == torch.int64
    samples, _ = soundfile.read(folder / "wavs" / "two.wav", dtype="float64")
    expected = MelSpectrogram(audio=audio).double()(torch.from_numpy(samples))
    assert utterance.mel.shape == (7, 80)
    assert utterance.mel.dtype == torch.float32
    torch.testing.assert_close(utterance.mel.double(), expected, rtol=0, atol=2e-3)


@pytest.mark.parametrize("room", [0, 7 * 80 * 4, 2**20])
def test_the_cache_changes_nothing_but_what_is_kept(
    folder: Path, audio: AudioSettings, frontend: EspeakFrontend, room: int
) -> None:
    corpus = FolderCorpus(path=folder, audio=audio, frontend=frontend, cache_bytes=room)
    first = [each.mel for each in corpus]
    again = [each.mel for each in corpus]
    for one, two in zip(first, again, strict=True):
        assert torch.equal(one, two)
    kept = sum(one.data_ptr() == two.data_ptr() for one, two in zip(first, again, strict=True))
    # 10, 7 and 4 frames: in the room of 7 only the second fits, or the third if it came first
    assert kept == {0: 0, 7 * 80 * 4: 1, 2**20: 3}[room]


def test_with_padding_center_the_sums_are_one_more(folder: Path, frontend: EspeakFrontend) -> None:
    for old, new in ((" 0\n", " 1\n"), ("1 1 1 1", "1 1 1 2")):
        _edit(folder / "durations.csv", old, new)
    audio = AudioSettings(padding="center")
    corpus = FolderCorpusParams(path=str(folder)).build(audio=audio, frontend=frontend)
    assert [len(each.mel) for each in corpus] == [11, 8, 5]


def test_blank_lines_and_windows_line_ends_are_read(
    folder: Path, open_folder: Callable[[], FolderCorpus]
) -> None:
    for name in ("metadata.csv", "durations.csv"):
        text = (folder / name).read_text(encoding="utf-8")
        crlf = "\ufeff" + text.replace("\n", "\r\n\r\n")
        (folder / name).write_bytes(crlf.encode())
    assert [each.text for each in open_folder()] == ["Number one.", "Two!", "Three"]


def _drop_wav(folder: Path) -> None:
    (folder / "wavs" / "two.wav").unlink()


def _break_wav(folder: Path) -> None:
    (folder / "wavs" / "two.wav").write_bytes(b"not a recording")


def _stereo(folder: Path) -> None:
    soundfile.write(folder / "wavs" / "two.wav", np.zeros((1800, 2)), RATE)


FAULTS: list[tuple[Callable[[Path], object], str]] = [
    (_drop_wav, r"`two` has no recording; wavs/two\.wav is missing\."),
    (_break_wav, r"`two` has a recording that cannot be read, wavs/two\.wav: "),
    (_stereo, r"`two` has a recording of 2 channels, wavs/two\.wav; mix it to one\."),
    (
        lambda folder: _write_wav(folder, "two", 1800, rate=16000),
        r"`two` has a recording of 16000 Hz, .* but `audio.sample_rate` is 22050; resample it\.",
    ),
    (
        lambda folder: _write_wav(folder, "two", 300),
        r"`two` has a recording that is too short, wavs/two\.wav: `samples` must be at least 385",
    ),
    (
        lambda folder: _edit(folder / "durations.csv", "2 1 4 0", "2 1 4 1"),
        r"`two` has durations that sum to 8 frames, but its mel has 7; the two must be equal\.",
    ),
    (
        lambda folder: _edit(folder / "durations.csv", "two|t ˈ", "two|q ˈ"),
        r"`two` has symbols that the frontend does not know: .*no index for 'q'",
    ),
    (
        lambda folder: _edit(folder / "durations.csv", "two|t ˈ", "two|_ ˈ"),
        r"`two` has symbols that the frontend does not know: .*'_' for padding",
    ),
    (
        lambda folder: _edit(folder / "durations.csv", "two|", "four|"),
        r"`two` has no line in durations\.csv; add its durations\.\n- `four` has durations but no",
    ),
    (
        lambda folder: _edit(folder / "durations.csv", "2 1 4 0", "2 1 4"),
        r"durations\.csv:3: `two` has 4 symbols but 3 frames; each .* is written `<space>`\.$",
    ),
    (
        lambda folder: _edit(folder / "durations.csv", "2 1 4 0", "2 1 -4 0"),
        r"durations\.csv:3: `two` has the frames '-4'; frames are whole numbers from 0 to 999,",
    ),
    (
        lambda folder: _edit(folder / "durations.csv", "2 1 4 0", "2 1 4 " + "9" * 5000),
        r"durations\.csv:3: `two` has the frames '9{20}'; frames are whole numbers",
    ),
    (
        lambda folder: _edit(folder / "metadata.csv", "two|", "t" * 300 + "|"),
        r"`t{300}` has no recording that can be looked for: File name too long",
    ),
    (
        lambda folder: _edit(folder / "durations.csv", "t ˈ uː !|2 1 4 0", "|"),
        r"durations\.csv:3: `two` has no phoneme; an utterance has at least one\.",
    ),
    (
        lambda folder: _edit(folder / "durations.csv", "!|2 1 4 0", "!"),
        r"durations\.csv:3: `two` must be followed by two fields, symbols and frames",
    ),
    (
        lambda folder: _edit(folder / "durations.csv", "one|", "two|"),
        r"durations\.csv:3: `two` is there twice; keep one line\.",
    ),
    (
        lambda folder: _edit(folder / "metadata.csv", "three|", "two|"),
        r"metadata\.csv:3: `two` is there twice; an ID is unique\.",
    ),
    (
        lambda folder: _edit(folder / "metadata.csv", "two|Two!", "two"),
        r"metadata\.csv:2: `two` must be followed by one or two fields",
    ),
    (
        lambda folder: _edit(folder / "metadata.csv", "two|", "../two|"),
        r"metadata\.csv:2: `\.\./two` must be a plain file name",
    ),
    (lambda folder: (folder / "durations.csv").unlink(), r"durations\.csv cannot be read: No such"),
    (
        lambda folder: (folder / "metadata.csv").write_bytes(b"a|\xff"),
        r"metadata\.csv must be UTF-8, but byte 2 is not\.",
    ),
]


@pytest.mark.parametrize(("break_it", "message"), FAULTS, ids=[text for _, text in FAULTS])
def test_every_fault_of_a_folder_is_named(
    folder: Path,
    open_folder: Callable[[], FolderCorpus],
    break_it: Callable[[Path], object],
    message: str,
) -> None:
    break_it(folder)
    with pytest.raises(CorpusError, match=message):
        open_folder()


def test_all_problems_are_in_one_error(
    folder: Path, open_folder: Callable[[], FolderCorpus]
) -> None:
    (folder / "wavs" / "one.wav").unlink()
    _edit(folder / "durations.csv", "2 1 4 0", "2 1 4 9")
    _edit(folder / "durations.csv", "θ ɹ", "θ q")
    with pytest.raises(CorpusError) as caught:
        open_folder()
    lines = str(caught.value).splitlines()
    assert lines[0] == f"`{folder}` is not a corpus that fits, 3 problems:"
    assert [line.split("`")[1] for line in lines[1:]] == ["one", "two", "three"]


def test_a_folder_that_is_missing_or_empty_is_refused(
    folder: Path, open_folder: Callable[[], FolderCorpus]
) -> None:
    for name in ("metadata.csv", "durations.csv"):
        (folder / name).write_text("")
    with pytest.raises(CorpusError, match=r"metadata\.csv has no utterance; write one a line\."):
        open_folder()
    shutil.rmtree(folder)
    with pytest.raises(CorpusError, match=r"2 problems:\n- metadata\.csv .*\n- durations\.csv "):
        open_folder()


names = st.text("abcXYZ019-_. ", min_size=1).filter(lambda name: name.strip(". "))
lines = st.text(st.characters(codec="utf-8", exclude_characters="|"), min_size=1).filter(
    lambda text: text.strip() == text and len(text.splitlines()) == 1
)


@given(texts=st.dictionaries(names, lines, max_size=5))
def test_metadata_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, texts: dict[str, str]
) -> None:
    file = tmp_path_factory.mktemp("metadata") / "metadata.csv"
    write_metadata(file, texts)
    assert read_metadata(file.read_text(encoding="utf-8").split("\n")) == (texts, [])


@pytest.mark.parametrize("text", ["a|b", "a\nb", ""])
def test_a_text_that_would_break_the_metadata_is_not_written(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"`x` must be one line without '\|', not "):
        write_metadata(tmp_path / "metadata.csv", {"x": text})


pairs = st.lists(
    st.tuples(st.sampled_from([*SYMBOLS[1:], " ", "|"]), st.integers(0, 500)),
    min_size=1,
    max_size=8,
)


@given(utterances=st.dictionaries(names, pairs, max_size=4))
def test_durations_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, utterances: dict[str, list[tuple[str, int]]]
) -> None:
    alignments = {
        name: Alignment(tuple(s for s, _ in items), tuple(n for _, n in items))
        for name, items in utterances.items()
    }
    file = tmp_path_factory.mktemp("durations") / "durations.csv"
    write_durations(file, alignments)
    assert read_durations(file.read_text(encoding="utf-8").split("\n")) == (alignments, [])


def test_a_blank_is_a_symbol_that_is_written_in_words(tmp_path: Path) -> None:
    file = tmp_path / "durations.csv"
    write_durations(file, {"a": Alignment(("h", " ", "|"), (1, 2, 3))})
    assert file.read_text(encoding="utf-8") == "a|h <space> ||1 2 3\n"
    assert read_durations(["a|h <space> ||1 2 3"]) == (
        {"a": Alignment(("h", " ", "|"), (1, 2, 3))},
        [],
    )


@pytest.mark.parametrize("symbol", ["<space>", "a b", "", "a\nb"])
def test_a_symbol_that_would_be_read_as_another_is_not_written(tmp_path: Path, symbol: str) -> None:
    with pytest.raises(ValueError, match=r"cannot hold the symbol .*a blank is written '<space>'"):
        write_durations(tmp_path / "durations.csv", {"a": Alignment((symbol,), (1,))})


def test_a_bad_line_is_one_problem(folder: Path, open_folder: Callable[[], FolderCorpus]) -> None:
    """An utterance whose line is bad is not missing too, in either file."""
    _edit(folder / "durations.csv", "2 1 4 0", "2 1 4")
    with pytest.raises(CorpusError, match=r"fits, 1 problems:\n- durations\.csv:3: `two` has 4"):
        open_folder()
    _edit(folder / "durations.csv", "2 1 4", "2 1 4 0")
    _edit(folder / "metadata.csv", "two|Two!", "two")
    with pytest.raises(CorpusError, match=r"fits, 1 problems:\n- metadata\.csv:2: `two` must be"):
        open_folder()


def test_a_folder_without_durations_is_told_once(
    folder: Path, open_folder: Callable[[], FolderCorpus]
) -> None:
    (folder / "durations.csv").unlink()
    with pytest.raises(CorpusError) as caught:
        open_folder()
    assert len(str(caught.value).splitlines()) == 2


def test_of_each_kind_ten_are_listed_and_the_rest_counted(
    folder: Path, open_folder: Callable[[], FolderCorpus]
) -> None:
    lines = "".join(f"n{number}|text\n" for number in range(25))
    (folder / "metadata.csv").write_text(f"one|a\n{lines}", encoding="utf-8")
    with pytest.raises(CorpusError) as caught:
        open_folder()
    listed = str(caught.value).splitlines()
    assert listed[0].endswith("is not a corpus that fits, 52 problems:")
    kinds = ("is missing", "no line in durations.csv", "no line in metadata.csv")
    assert [sum(kind in each for each in listed) for kind in kinds] == [10, 10, 2]
    assert "- … and 15 more: no recording." in listed
    assert "- … and 15 more: no durations." in listed


@pytest.mark.parametrize(
    ("name", "lying"),
    [
        ("two", "two.WAV"),
        ("two", "two.flac"),
        ("two", "Two.wav"),
        ("two ", "two.wav"),
        ("cafe\u0301", "caf\u00e9.wav"),
    ],
)
def test_a_recording_that_is_nearly_called_so_is_named(
    folder: Path, open_folder: Callable[[], FolderCorpus], name: str, lying: str
) -> None:
    (folder / "wavs" / "two.wav").rename(folder / "wavs" / lying)
    for file in ("metadata.csv", "durations.csv"):
        _edit(folder / file, "two|", f"{name}|")
    with pytest.raises(CorpusError, match=rf"wavs/{name}.wav is missing, but wavs/{lying} is"):
        open_folder()


def test_an_id_that_is_nearly_the_same_in_both_files_is_named(
    folder: Path, open_folder: Callable[[], FolderCorpus]
) -> None:
    _edit(folder / "durations.csv", "two|", "two |")
    with pytest.raises(
        CorpusError, match=r"`two` has no line in .*; it has one for 'two '"
    ) as told:
        open_folder()
    other = "`two ` has durations but no line in metadata.csv, which has one for 'two'"
    assert other in str(told.value)


TONE = np.sin(np.arange(2000) * 0.1)


@pytest.mark.parametrize(
    ("samples", "subtype", "message"),
    [
        (TONE * 9830, "FLOAT", r"samples up to 9,830, wavs/two\.wav; .* divide those of 16 bits"),
        (TONE * 0, "PCM_16", r"`two` has a recording that is silent, .* loudest sample is 0\."),
        (TONE * 0 + 0.3, "PCM_16", r"silent, .* is 0\.3 and no other is farther than 0 off\."),
        (TONE * 1e-5, "FLOAT", r"that is silent, .*: its loudest sample is 1e-05\."),
        (np.clip(TONE * 2, -1, 1), "PCM_16", r"that is clipped, .*: 6\d% of it is at full scale"),
        (np.append(TONE, np.nan), "FLOAT", r"with a NaN or an infinity, wavs/two\.wav; make it"),
        (np.append(TONE, -np.inf), "DOUBLE", r"with a NaN or an infinity, wavs/two\.wav; make it"),
        (TONE[:0], "PCM_16", r"that is too short, wavs/two\.wav"),
    ],
)
def test_a_recording_that_would_spoil_the_statistics_is_refused(
    folder: Path,
    open_folder: Callable[[], FolderCorpus],
    samples: np.ndarray,
    subtype: str,
    message: str,
) -> None:
    soundfile.write(folder / "wavs" / "two.wav", samples, RATE, subtype)
    with pytest.raises(CorpusError, match=message):
        open_folder()


@pytest.mark.parametrize("peak", [0.01, 1.0, 1.05])
def test_a_recording_whose_peaks_are_quiet_or_a_little_too_loud_is_read(
    folder: Path, open_folder: Callable[[], FolderCorpus], peak: float
) -> None:
    samples = np.append(TONE[:1999] * 0.9 * peak, peak)
    soundfile.write(folder / "wavs" / "two.wav", samples, RATE, "FLOAT")
    assert open_folder()[1].mel.shape == (7, 80)


def test_durations_are_known_without_a_mel(
    open_folder: Callable[[], FolderCorpus], folder: Path
) -> None:
    corpus = open_folder()
    shutil.rmtree(folder / "wavs")
    assert [int(known(corpus, index).sum()) for index in range(3)] == [10, 7, 4]
    assert known(corpus, -1).tolist() == [1, 1, 1, 1]


def test_a_corpus_that_does_not_know_better_asks_the_utterance() -> None:
    class Plain(Corpus):
        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> Utterance:
            durations = torch.tensor([2, 3])
            return Utterance("a", "b", torch.tensor([5, 6]), durations, torch.zeros(5, 80))

    assert known(Plain(), 0).tolist() == [2, 3]


def test_what_is_held_out_comes_last_whatever_its_place_in_the_metadata(
    folder: Path, frontend: EspeakFrontend
) -> None:
    before = FolderCorpus(path=folder, audio=AudioSettings(), frontend=frontend)
    assert before.held_out is None
    (folder / "held_out.txt").write_text("one\n\n", encoding="utf-8")
    corpus = FolderCorpus(path=folder, audio=AudioSettings(), frontend=frontend)
    assert corpus.held_out == 1
    assert [each.name for each in corpus] == ["two", "three", "one"]
    (folder / "held_out.txt").write_text("One\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"`One` is in held_out.txt but not in metadata.csv"):
        FolderCorpus(path=folder, audio=AudioSettings(), frontend=frontend)


def test_languages_are_names_beside_speakers(folder: Path, frontend: EspeakFrontend) -> None:
    (folder / "languages.csv").write_text("one|en\ntwo|de\nthree|en\n", encoding="utf-8")
    assert "language" in FolderCorpusParams(path=str(folder)).gives_features
    corpus = FolderCorpus(path=folder, audio=AudioSettings(), frontend=frontend)
    assert [each.features["language"] for each in corpus] == ["en", "de", "en"]
    (folder / "languages.csv").write_text("one|en\ntwo\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"one field, the language: `ID\|en`") as caught:
        FolderCorpus(path=folder, audio=AudioSettings(), frontend=frontend)
    assert "`three` has no line in languages.csv." in str(caught.value)


def test_each_stress_mark_is_known_as_one(folder: Path, frontend: EspeakFrontend) -> None:
    corpus = FolderCorpus(path=folder, audio=AudioSettings(), frontend=frontend)
    for utterance in corpus:
        symbols = [frontend.symbols[index] for index in utterance.phoneme_indices.tolist()]
        mark = utterance.features["mark"]
        assert mark.tolist() == [float(each in "ˈˌ") for each in symbols]
    assert mark.any()
    assert "mark" in FolderCorpusParams(path=str(folder)).gives_features

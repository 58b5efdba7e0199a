"""Settings of the frontend and the corpus, and what is said where the packages are missing."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from pydantic import ValidationError

from kokoro_core import assemble, load_spec
from kokoro_core.params.sizes import Sizes
from kokoro_plugins.hibari import package
from kokoro_plugins.hibari.lexicon import lexicon_problems, read_lexicon
from kokoro_plugins.hibari.params import HibariCorpusParams, HibariFrontendParams
from kokoro_plugins.hibari.recipe import check_audio
from kokoro_plugins.hibari.voice import HibariVoice


def sizes(vocab_size: int = 60, pad_id: int = 0) -> Sizes:
    return Sizes(vocab_size=vocab_size, pad_id=pad_id, mel_dim=80, hidden_dim=8)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"vocab_size": 63}, "has 60 symbols, but `vocab_size` is 63; set `vocab_size: 60`"),
        ({"pad_id": 5}, "pads with 0, but `pad_id` is 5; set `pad_id: 0`"),
    ],
)
def test_a_model_of_other_symbols_is_a_problem(other: Any, message: str) -> None:
    [(field, said)] = HibariFrontendParams().cross_check(sizes(**other))
    assert (field, said) == ("type", f"the frontend `hibari` {message}")
    with pytest.raises(ValueError, match="the frontend `hibari`"):
        HibariFrontendParams().build(sizes(**other))


def test_the_named_spec_is_parallel_and_has_the_frames_of_the_voice() -> None:
    spec = load_spec("heart")
    assert spec.audio is not None
    check_audio(spec.audio)
    decoder: Any = spec.decoder
    assert decoder.parallel
    assert sum(each.numel() for each in assemble(spec).parameters()) == 3_480_531


def test_the_normalizer_of_the_box_reads_before_the_package_does() -> None:
    pytest.importorskip("hibari")
    spec = load_spec("heart", overrides={"frontend.normalizer": {"type": "english"}})
    assert spec.frontend is not None
    frontend = spec.frontend.build(spec.sizes)
    assert frontend.normalize("It costs $42.50 on 5 May.").startswith("It costs forty two dollars")
    assert "".join(frontend.phonemize("[[n ˈ I n]] cats")) == "^nˈIn_kˈæts$"


def test_a_lexicon_is_words_and_sounds_with_blanks_or_without() -> None:
    assert read_lexicon("gif ʤ ˈ ɪ f\n\nnice nˈis\n") == {"gif": "ʤˈɪf", "nice": "nˈis"}
    wrong = "gif\nnice n x\nday dˈA\nday d ˈ A\n"
    assert lexicon_problems(wrong) == [
        "line 1 has the word 'gif' without sounds",
        "line 2 has 'x' in 'nice', no sound of `hibari`",
        "line 4 has 'day' a second time",
    ]
    with pytest.raises(ValidationError, match="line 1 has the word 'gif' without sounds"):
        HibariFrontendParams(lexicon="gif")


def test_without_the_package_an_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = ("hibari", package._ALONE)
    for name in [each for each in sys.modules if each.partition(".")[0] in imported]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "hibari", None)
    message = r"needs the package hibari-tts .* install kokoro-core\[voices\]"
    with pytest.raises(ValueError, match=message):
        HibariFrontendParams().build(sizes())
    with pytest.raises(ValueError, match=message):
        package.package_version()


def test_without_onnx_an_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hibari")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ValueError, match=r"needs the package onnx, .* kokoro-core\[voices\]"):
        HibariVoice()


def test_a_corpus_says_what_it_gives_before_it_is_made() -> None:
    params = HibariCorpusParams(path="nowhere")
    assert params.gives_features == {"energy", "mark", "pitch", "voiced", "wave"}
    assert params.has_durations
    assert not HibariCorpusParams(path="nowhere", durations=False).has_durations

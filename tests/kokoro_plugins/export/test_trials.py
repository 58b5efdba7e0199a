"""What an export is compared on: nothing that was asked for is left out."""

from __future__ import annotations

import pytest

from kokoro_core import KokoroModel
from kokoro_core.exporting.inputs import graph_inputs
from kokoro_core.exporting.trials import Trial
from kokoro_plugins.export.around import frontend_of
from kokoro_plugins.export.trials import make_trials
from tests.kokoro_core.exporting.small import small_parallel

SYMBOLS = {"type": "symbols", "symbols": [f"s{n}" for n in range(63)]}


def trials_of(model: KokoroModel, *texts: str) -> list[Trial]:
    return make_trials(model, graph_inputs(model, {}, 11), frontend_of(model), texts)


def with_positions(max_len: int) -> KokoroModel:
    positions = {"type": "sinusoidal", "max_len": max_len}
    return small_parallel(**{"encoder.positional_encoding": positions, "frontend": SYMBOLS})


def test_random_utterances_come_first_and_texts_after_them(parallel: KokoroModel) -> None:
    trials = trials_of(parallel, "s3 s4", "s5 s6 s7")
    assert [each.phoneme_indices.shape[1] for each in trials] == [5, 17, 31, 2, 3]
    assert trials[-1].phoneme_indices.tolist() == [[5, 6, 7]]


def test_a_text_that_is_too_short_is_refused(parallel: KokoroModel) -> None:
    with pytest.raises(ValueError, match=r"'s3' has 1 phonemes, .* for 2 to 5000"):
        trials_of(parallel, "s3")


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has 7 phonemes, and the graph is for 2 to 6"):
        trials_of(with_positions(6), "s1 s2 s3 s4 s5 s6 s7")


def test_a_text_that_the_frontend_cannot_read_is_refused(parallel: KokoroModel) -> None:
    with pytest.raises(ValueError, match="quick"):
        trials_of(parallel, "quick")


def test_a_text_needs_a_frontend() -> None:
    bare = small_parallel(frontend=None)
    with pytest.raises(ValueError, match="'hello' cannot be read: the model's spec has no"):
        trials_of(bare, "hello")


def test_without_a_text_a_sentence_is_read_only_if_the_frontend_can(parallel: KokoroModel) -> None:
    assert [each.phoneme_indices.shape[1] for each in trials_of(parallel)] == [5, 17, 31]


def test_nothing_to_compare_on_is_refused() -> None:
    with pytest.raises(ValueError, match=r"nothing to compare .* allow 4 phonemes"):
        trials_of(with_positions(4))


def test_a_frontend_whose_library_is_missing_is_named(
    parallel: KokoroModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise ModuleNotFoundError("install `kokoro-core[speech]`")

    monkeypatch.setattr(type(parallel.spec.frontend), "build", missing)
    with pytest.raises(ValueError, match=r"`symbols`, whose symbols .*: install `kokoro-core"):
        frontend_of(parallel)

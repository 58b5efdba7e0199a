"""What a corpus may say of all its utterances."""

from __future__ import annotations

from kokoro_core.contracts import Corpus, FeatureFacts, Utterance
from kokoro_core.contracts.corpus_facts import NO_NUMBERS


def test_figures_of_a_feature_add_up() -> None:
    first, second = FeatureFacts(2, 3.0, 5.0, 1.0, 2.0), FeatureFacts(1, -4.0, 16.0, -4.0, -4.0)
    assert NO_NUMBERS + first == first
    assert first + second == FeatureFacts(3, -1.0, 21.0, -4.0, 2.0)


def test_a_corpus_of_before_gives_no_facts() -> None:
    class Old(Corpus):
        def __len__(self) -> int:
            return 0

        def __getitem__(self, index: int) -> Utterance:
            raise IndexError

    assert Old().facts() is None

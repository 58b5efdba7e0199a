import itertools

import numpy as np
import pytest

from kokoro_plugins.evaluation.bootstrap import interval, paired_difference
from kokoro_plugins.evaluation.measures import MEASURES

WER = next(each for each in MEASURES if each.name == "wer")
MOS = next(each for each in MEASURES if each.name == "mos")
LENGTH = next(each for each in MEASURES if each.name == "length_ratio")


def sentences(name, pairs):
    return {f"s{number}": {name: pair} for number, pair in enumerate(pairs)}


def every_draw(mine, theirs):
    """The differences of all draws with replacement of a few sentences, each equally likely."""
    numbers = range(len(mine))
    return [
        sum(mine[n][0] for n in drawn) / sum(mine[n][1] for n in drawn)
        - sum(theirs[n][0] for n in drawn) / sum(theirs[n][1] for n in drawn)
        for drawn in itertools.product(numbers, repeat=len(mine))
    ]


def test_the_interval_is_that_of_all_draws_there_are():
    mine = [(0, 3), (2, 9), (4, 5), (1, 8), (3, 4)]
    theirs = [(1, 3), (2, 9), (5, 5), (3, 8), (3, 4)]
    found = paired_difference(
        sentences("wer", mine), sentences("wer", theirs), WER, draws=60_000, seed=3
    )
    assert found is not None
    low, high = np.percentile(every_draw(mine, theirs), [2.5, 97.5])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.008)
    assert (found.mine, found.theirs) == pytest.approx((10 / 29, 14 / 29))
    assert found.difference == pytest.approx(-4 / 29)
    assert found.sentences == 5


def test_of_many_sentences_the_interval_is_that_of_the_normal_distribution():
    generator = np.random.default_rng(0)
    mine = generator.normal(3.2, 0.5, size=400)
    theirs = mine + generator.normal(0.1, 0.2, size=400)
    found = paired_difference(
        sentences("mos", [(value, 1.0) for value in mine]),
        sentences("mos", [(value, 1.0) for value in theirs]),
        MOS,
    )
    assert found is not None
    differences = mine - theirs
    half = 1.96 * differences.std(ddof=1) / 20
    expected = (differences.mean() - half, differences.mean() + half)
    assert (found.low, found.high) == pytest.approx(expected, abs=0.002)
    assert found.verdict == "worse"


def test_the_same_sentences_are_drawn_for_both_so_what_both_find_hard_cancels():
    hard = sentences("mos", [(value, 1.0) for value in np.linspace(1, 5, 50)])
    easier = {name: {"mos": (parts["mos"][0] + 0.25, 1.0)} for name, parts in hard.items()}
    found = paired_difference(easier, hard, MOS, draws=500)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.25, 0.25))
    assert found.verdict == "better"


def test_a_seed_gives_the_same_interval_and_another_one_another():
    parts = sentences("wer", [(n % 3, 5 + n % 4) for n in range(30)])
    first, again, other = (interval(parts, "wer", seed=seed, draws=300) for seed in (1, 1, 2))
    assert first == again != other


def test_the_interval_of_one_figure_is_that_of_all_draws_there_are():
    pairs = [(1, 2), (0, 4), (3, 3), (2, 7)]
    low, high = np.percentile(every_draw(pairs, [(0, 1)] * 4), [2.5, 97.5])
    found = interval(sentences("wer", pairs), "wer", draws=60_000)
    assert found == pytest.approx((low, high), abs=0.01)


def test_sentences_that_one_of_both_lacks_are_left_out():
    mine = sentences("wer", [(1, 2), (1, 4), (9, 9)])
    theirs = {"s0": {"wer": (0, 2)}, "s1": {"wer": (2, 4)}, "s2": {"mos": (3, 1)}}
    found = paired_difference(mine, theirs, WER, draws=50)
    assert found is not None
    assert (found.sentences, found.mine, found.theirs) == (2, 2 / 6, 2 / 6)


def test_what_no_sentence_has_has_no_interval():
    assert interval({"s": {"wer": (1, 2)}}, "mos") is None
    assert paired_difference({"s": {}}, {"s": {}}, WER) is None
    assert interval({"s": {"pitch_error": (0.0, 0)}}, "pitch_error") is None


@pytest.mark.parametrize(
    ("measure", "shift", "verdict"),
    [(WER, 1, "worse"), (WER, -1, "better"), (MOS, 1, "better"), (WER, 0, ""), (LENGTH, 1, "")],
)
def test_only_a_difference_beyond_chance_is_called_better_or_worse(measure, shift, verdict):
    theirs = sentences(measure.name, [(5, 2), (6, 2), (4, 2)])
    mine = sentences(measure.name, [(5 + shift, 2), (6 + shift, 2), (4 + shift, 2)])
    found = paired_difference(mine, theirs, measure, draws=200)
    assert found is not None
    assert found.verdict == verdict

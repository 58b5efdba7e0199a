"""Random numbers a row."""

from __future__ import annotations

import torch
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.tensors.noise import RowNoise, noting_draws, replaying

LIKE = torch.zeros((), dtype=torch.float64)


@given(seeds=st.lists(st.integers(0, 2**62), min_size=1, max_size=4), num=st.integers(1, 200))
def test_a_row_draws_the_same_numbers_alone_and_in_a_longer_batch(
    seeds: list[int], num: int
) -> None:
    together = RowNoise(seeds).normal(num + 70, 3, like=LIKE)
    for row, seed in enumerate(seeds):
        alone = RowNoise([seed]).normal(num, 3, like=LIKE)
        assert torch.equal(alone[0], together[row, :num])


def test_each_call_draws_anew_and_does_not_depend_on_how_much_the_last_one_drew() -> None:
    short, long = RowNoise([7]), RowNoise([7])
    first = short.normal(5, 2, like=LIKE)
    long.normal(500, 2, like=LIKE)
    second = short.normal(5, 2, like=LIKE)
    assert not torch.equal(first, second)
    assert torch.equal(second, long.normal(5, 2, like=LIKE))


def test_the_numbers_are_standard_normal() -> None:
    drawn = RowNoise([1]).normal(20_000, 1, like=LIKE)
    assert abs(drawn.mean().item()) < 0.03
    assert abs(drawn.std().item() - 1) < 0.03


def test_seeds_from_the_global_generator_repeat_with_it() -> None:
    torch.manual_seed(3)
    first = RowNoise.from_global(2)
    torch.manual_seed(3)
    assert RowNoise.from_global(2).seeds == first.seeds
    assert first.seeds[0] != first.seeds[1]


def test_each_part_has_numbers_of_its_own_whatever_the_others_draw() -> None:
    one, other = RowNoise([7]), RowNoise([7])
    one.of("duration_predictor").normal(5, 2, like=LIKE)
    found = one.of("decoder").normal(5, 2, like=LIKE)
    assert torch.equal(found, other.of("decoder").normal(5, 2, like=LIKE))
    assert not torch.equal(found, other.of("postnet").normal(5, 2, like=LIKE))
    assert not torch.equal(found, other.normal(5, 2, like=LIKE))
    assert not torch.equal(found, one.of("decoder").normal(5, 2, like=LIKE))


@given(seed=st.integers(-(2**62), 2**62))
@example(seed=1)
def test_no_row_gets_later_what_a_neighbour_gets_now(seed: int) -> None:
    noise = RowNoise([seed, seed + 1, seed + 1_000_003])
    drawn = [noise.normal(1, 4, like=LIKE) for _ in range(3)]
    rows = {tuple(row) for each in drawn for row in each.flatten(1).tolist()}
    assert len(rows) == 9


def test_what_was_drawn_in_a_block_can_be_drawn_again_and_then_goes_on() -> None:
    noise, plain = RowNoise([7]), RowNoise([7])
    noise.normal(1, 1, like=LIKE)
    with noting_draws() as outer, noting_draws() as drawn:
        first = [noise.normal(2, 1, like=LIKE) for _ in range(2)]
    assert outer == drawn == {noise: 1}
    noise.normal(3, 1, like=LIKE)
    with replaying(drawn):
        again = [noise.normal(2, 1, like=LIKE) for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for num in (1, 2, 2, 3):
        plain.normal(num, 1, like=LIKE)
    assert torch.equal(noise.normal(1, 1, like=LIKE), plain.normal(1, 1, like=LIKE))


@given(calls=st.lists(st.integers(0, 3), min_size=1, max_size=4), row=st.integers(0, 2))
def test_a_row_that_takes_a_place_draws_what_it_draws_alone(calls: list[int], row: int) -> None:
    noise, alone = RowNoise([1, 2, 3]), [RowNoise([seed]) for seed in (1, 2, 3)]
    seed = 10
    for count in calls:
        for _ in range(count):
            drawn = noise.of("a").normal(2, 2, like=LIKE)
            for place, each in enumerate(alone):
                assert torch.equal(drawn[place], each.of("a").normal(2, 2, like=LIKE)[0])
        seed += 1
        noise, alone[row] = noise.replace(row, seed), RowNoise([seed])
    drawn = noise.of("a").uniform(1, 1, like=LIKE)
    assert torch.equal(drawn[row], RowNoise([seed]).of("a").uniform(1, 1, like=LIKE)[0])


def test_chosen_rows_go_on_in_every_stream() -> None:
    noise, alone = RowNoise([1, 2]), RowNoise([2])
    for each in (noise, alone):
        each.normal(1, 1, like=LIKE)
        each.of("a").normal(1, 1, like=LIKE)
    chosen = noise.select([1])
    assert torch.equal(
        chosen.of("a").normal(2, 1, like=LIKE), alone.of("a").normal(2, 1, like=LIKE)
    )
    assert torch.equal(chosen.normal(2, 1, like=LIKE), alone.normal(2, 1, like=LIKE))

import random

import numpy as np
import pytest
import torch

from kokoro_plugins.training.loop.random_states import (
    random_states,
    seed_process,
    set_random_states,
)

CPU = torch.device("cpu")


def draw():
    """Draw numbers of every kind from every source."""
    return (
        [random.random(), random.gauss(0, 1), random.getrandbits(70)],
        [np.random.rand(), np.random.randn(), np.random.randint(9)],
        [*torch.rand(3).tolist(), *torch.randn(17).tolist(), torch.randint(9, (1,)).item()],
    )


@pytest.mark.parametrize("drawn", [0, 1, 2, 3])
def test_states_that_are_put_back_give_the_same_numbers_again(drawn):
    seed_process(3)
    for _ in range(drawn):
        random.gauss(0, 1)
        np.random.randn()
        torch.randn(drawn)
    states = {name: each.clone() for name, each in random_states(CPU).items()}
    expected = draw()
    assert draw() != expected
    set_random_states(states, CPU)
    assert draw() == expected


def test_taking_the_states_changes_none():
    seed_process(4)
    expected = draw()
    seed_process(4)
    random_states(CPU)
    assert draw() == expected


def test_the_kept_normal_numbers_are_part_of_the_states():
    seed_process(5)
    random.gauss(0, 1)
    np.random.randn()
    states = random_states(CPU)
    expected = random.gauss(0, 1), np.random.randn()
    seed_process(6)
    set_random_states(states, CPU)
    assert (random.gauss(0, 1), np.random.randn()) == expected


def test_other_processes_draw_other_numbers():
    drawn = []
    for numbers in ((1, 0, 5), (1, 1, 5), (1, 1, 6)):
        seed_process(*numbers)
        drawn.append(draw())
    assert all(drawn[0][source] != drawn[1][source] for source in range(3))
    assert all(drawn[1][source] != drawn[2][source] for source in range(3))

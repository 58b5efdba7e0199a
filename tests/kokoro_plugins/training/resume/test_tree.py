import json
import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_core.errors import CheckpointError
from kokoro_plugins.training.resume.tree import pack, unpack

numbers = st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.none())
trees = st.recursive(
    st.one_of(numbers, st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text("ab$1", max_size=3), inner, max_size=3),
        st.dictionaries(st.integers(0, 3), inner, max_size=3),
    ),
    max_leaves=12,
)


def same(one, two):
    """Equal in value and in type, all the way down."""
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        pairs = zip(one.items(), two.items(), strict=True)
        return len(one) == len(two) and all(
            same(*each) for pair in pairs for each in zip(*pair, strict=True)
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(same, one, two))
    return one == two


@given(tree=trees)
@example(tree={})
@example(tree=())
@example(tree={"$tensor": "x"})
@example(tree={1: {"$float": "inf"}, 0: (None, [True, 1, 1.0])})
@example(tree=[math.inf, -math.inf])
@settings(deadline=None)
def test_what_is_packed_comes_back_in_value_and_type(tree):

    values, tensors = pack(tree)
    assert tensors == {}
    assert same(unpack(json.loads(json.dumps(values, allow_nan=False)), {}), tree)


def test_a_number_that_is_none_comes_back():
    [value] = unpack(pack([math.nan])[0], {})
    assert math.isnan(value)


def test_tensors_get_the_names_of_their_places():
    moments = {"state": {0: {"step": torch.tensor(3.0)}, 1: {}}, "betas": (0.9, torch.ones(2))}
    values, tensors = pack(moments, "optimizer")
    assert sorted(tensors) == ["optimizer.betas.1", "optimizer.state.0.step"]
    again = unpack(values, tensors)
    assert again["betas"][1] is tensors["optimizer.betas.1"]
    assert again["state"][0]["step"] is tensors["optimizer.state.0.step"]


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", 1j, torch.float32], ids=repr)
def test_other_values_are_refused_by_their_place(value):
    with pytest.raises(CheckpointError, match=r"`state\.a\.0` is a `\w+`, which is not saved"):
        pack({"a": [value]})


def test_two_tensors_of_one_name_are_refused():
    tree = {1: torch.ones(1), "1": torch.ones(1)}
    with pytest.raises(CheckpointError, match=r"`state\.1` is what two tensors of the state would"):
        pack(tree)


def test_a_missing_tensor_is_named():
    with pytest.raises(CheckpointError, match=r"`state\.x` is a tensor of the state that the file"):
        unpack({"x": {"$tensor": "state.x"}}, {})


@pytest.mark.parametrize(
    "value", [{"$what": 1}, {"$tuple": 3}, {"$float": "7"}, {"$tuple": [], "a": 1}], ids=repr
)
def test_values_of_another_hand_are_refused(value):
    with pytest.raises(CheckpointError, match="is no value that this version has written"):
        unpack(value, {})

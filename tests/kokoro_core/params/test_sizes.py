"""Sizes that are counted from params alone are those of what is built."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.contracts import PositionalEncoding
from kokoro_core.model.assembly import assemble
from kokoro_core.params.sizes import Size, Sizes
from kokoro_core.slots import MODEL_SLOTS, PositionalEncodingParams
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.rules.limits import count_parts
from kokoro_core.testing.data.spec_strategies import params, specs
from kokoro_core.testing.subjects.counting import buffer_bytes, check_size
from registry import installed_plugins

REGISTRY = installed_plugins().components
NAMES = [
    (slot, name) for slot in (*MODEL_SLOTS, "positional_encoding") for name in REGISTRY.names(slot)
]
SHIPPED = sorted(installed_plugins().specs)


@pytest.mark.parametrize(("slot", "name"), NAMES, ids=str)
@given(data=st.data())
def test_a_component_counts_what_is_built(slot: str, name: str, data: Any) -> None:
    num_heads = data.draw(st.sampled_from([1, 2, 4]))
    sizes = Sizes(
        vocab_size=data.draw(st.integers(2, 40)),
        pad_id=0,
        mel_dim=data.draw(st.integers(2, 12)),
        hidden_dim=num_heads * 2 * data.draw(st.integers(1, 5)),
    )
    chosen = data.draw(params(REGISTRY, slot, name, num_heads=num_heads))
    component = REGISTRY.find(slot, name).component.model_validate(
        chosen, context={"registry": REGISTRY}
    )
    arguments: Any = {"sizes": sizes}
    if slot == "positional_encoding":
        arguments = {"hidden_dim": sizes.hidden_dim, "num_heads": num_heads}
    assert component.size(**arguments) is not None, "every component of ours says its size"
    check_size(component, sizes, num_heads=num_heads)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_parts_of_a_shipped_spec_are_as_large_as_counted(name: str) -> None:
    spec = load_spec(name)
    model = assemble(spec, device="meta")
    for slot, size in count_parts(spec).items():
        part = model.part(slot)
        assert size is not None
        assert size.parameters == sum(each.numel() for each in part.parameters())
        assert size.buffer_bytes == buffer_bytes(part)


@given(specs())
def test_a_spec_of_any_parts_is_counted_right(source: dict[str, Any]) -> None:
    spec = load_spec(source)
    counted = count_parts(spec)
    model = assemble(spec, device="meta")
    total = sum(size.parameters for size in counted.values() if size is not None)
    assert total == sum(each.numel() for each in model.parameters())


@given(st.tuples(*[st.integers(0, 10**20)] * 3), st.tuples(*[st.integers(0, 9)] * 3))
@example((0, 0, 0), (0, 0, 0))
def test_sizes_add_up_at_any_magnitude(left: Any, right: Any) -> None:
    summed = Size(*left) + Size(*right)
    assert summed == Size(*(a + b for a, b in zip(left, right, strict=True)))
    assert Size(*left) * 3 == Size(*left) + Size(*left) + Size(*left)


class Off(PositionalEncoding):
    def __init__(self, *, rows: int) -> None:
        super().__init__()
        self.table = torch.nn.Parameter(torch.zeros(rows, 2))
        self.register_buffer("kept", torch.zeros(3))


class OffParams(PositionalEncodingParams):
    """Counts wrong where it is told to."""

    type: str = "off"
    said: Size | None = None

    def size(self, *, hidden_dim: int, num_heads: int) -> Size | None:
        return self.said

    def build(self, *, hidden_dim: int, num_heads: int) -> Off:
        return Off(rows=hidden_dim)


SIZES = Sizes(vocab_size=5, pad_id=0, mel_dim=3, hidden_dim=4)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (Size(7, 12), r"`OffParams.size` must count 8 parameters, not 7"),
        (Size(8, 11), r"`OffParams.size` must count 12 bytes of buffers, not 11"),
        (Size(9, complete=False), r"`OffParams.size` must count at most 8 parameters, not 9"),
        (None, r"`OffParams.size` returns None, so no limit would hold the component"),
    ],
)
def test_the_check_finds_a_component_that_counts_wrong(said: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_size(OffParams(said=said), SIZES)


@pytest.mark.parametrize("said", [Size(8, 12), Size(complete=False), Size(8, 12, complete=False)])
def test_the_check_lets_a_component_pass_that_counts_right_or_a_part_of_itself(said: Any) -> None:
    check_size(OffParams(said=said), SIZES)

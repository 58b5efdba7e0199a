"""What a component looks at when it is asked for something."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter, methodcaller
from typing import ClassVar, Literal

import pytest

from kokoro_core.slots import EncoderParams
from kokoro_core.spec.rules.accessed_fields import accessed_fields
from tests.kokoro_core.spec.toys import Unbuildable


class Asked(Unbuildable, EncoderParams):
    """Has rules of all kinds."""

    factor: ClassVar[int] = 2
    type: Literal["asked"] = "asked"
    a: int = 1
    b: int = 1
    c: int = 1

    @property
    def twice(self) -> int:
        return self.factor * self.a

    @property
    def needs(self) -> frozenset[str]:
        return super().needs | frozenset({"plan"} if self.c else ())

    @staticmethod
    def constant() -> int:
        return 3

    def sum(self) -> int:
        return self.twice + self.b

    def each(self) -> Iterator[int]:
        yield self.a
        yield self.c

    def dumped(self) -> object:
        return self.model_dump()

    def raising(self) -> int:
        return self.a // 0

    def of_its_class(self) -> bool:
        return isinstance(self, Asked) and self.constant() == 3


EVERY = {"type", "a", "b", "c"}


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("sum", {"a", "b"}),
        ("each", {"a", "c"}),
        ("constant", set()),
        ("of_its_class", set()),
        ("dumped", EVERY),
        ("raising", EVERY),
    ],
)
def test_the_fields_that_a_method_reads_are_found_through_others(name: str, read: set[str]) -> None:
    assert accessed_fields(Asked(), methodcaller(name)) == read


def test_a_property_is_watched_beyond_super() -> None:
    assert accessed_fields(Asked(), attrgetter("needs")) == {"c"}
    assert Asked().needs == {"plan"}

"""A plugin's class that raises is a problem at its component, and hides no other problem."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources.abc import Traversable
from typing import Any, Literal, cast

import pytest
from pydantic import Field
from torch import nn

from kokoro_core.model.assembly import assemble
from kokoro_core.params.sizes import Size, Sizes
from kokoro_core.slots import DecoderParams, EncoderParams
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import Problem, SpecError
from kokoro_core.spec.text.migrations import migrate
from kokoro_core.spec.tree.model_spec import ModelSpec
from registry import Migration, Plugins, Registration
from registry.records import NamedSpec
from tests.kokoro_core.spec.toys import (
    CopyRegulator,
    LinePredictor,
    RowDecoder,
    Unbuildable,
    minimal,
    plugins_with,
)


def explode() -> int:
    raise KeyError("boom\x1b[2J")


class FaultyEncoder(Unbuildable, EncoderParams):
    """Fails where it is told to."""

    type: Literal["faulty"] = "faulty"
    at: str = ""

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"tilt"} if self.at != "needs" else {str(explode())})

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        if self.at == "cross_check":
            yield "at", "a first one"
            explode()
        elif self.at == "pairs":
            yield "three"  # type: ignore[misc]

    def size(self, sizes: Sizes) -> Size | None:
        if self.at == "size":
            explode()
        return 3 if self.at == "returns" else None  # type: ignore[return-value]


class FactoryEncoder(Unbuildable, EncoderParams):
    """Has a default that raises."""

    type: Literal["factory"] = "factory"
    rows: int = Field(default_factory=explode)


class FaultyDecoder(Unbuildable, DecoderParams):
    """Fails when it is asked what it needs of the memory."""

    type: Literal["faulty"] = "faulty"

    @property
    def frame_by_frame(self) -> tuple[str, ...]:
        raise RuntimeError("no")


PLUGINS = plugins_with(
    *(
        Registration(each, "acme", "acme-odd", "1.0")
        for each in (FaultyEncoder, FactoryEncoder, FaultyDecoder)
    )
)
WHO = "the plugin 'acme' (acme-odd 1.0)"


def problems_of(source: Any, plugins: Plugins = PLUGINS) -> list[Problem]:
    with pytest.raises(SpecError) as caught:
        load_spec(source, plugins=plugins)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ({"type": "faulty", "at": "needs"}, "raised KeyError: 'boom\\x1b[2J' in `needs`"),
        (
            {"type": "faulty", "at": "cross_check"},
            "raised KeyError: 'boom\\x1b[2J' in `cross_check`",
        ),
        ({"type": "faulty", "at": "pairs"}, "raised ValueError: "),
        ({"type": "faulty", "at": "size"}, "raised KeyError: 'boom\\x1b[2J' in `size`"),
        ({"type": "faulty", "at": "returns"}, "returned a int, not a `Size`, from `size`"),
        ({"type": "factory"}, "raised KeyError: 'boom\\x1b[2J' when its settings were read"),
    ],
)
def test_what_a_component_raises_is_a_problem_there_beside_the_others(
    encoder: dict[str, Any], message: str
) -> None:
    source = minimal(encoder=encoder, pad_id=70, loss={"stop": -1})
    found = {each.path: each for each in problems_of(source)}
    assert set(found) == {"encoder", "pad_id", "loss.stop"}
    assert found["encoder"].code == "plugin-raised"
    assert found["encoder"].message.startswith(f"{WHO} {message}")


def test_a_decoder_that_cannot_say_what_it_needs_is_a_problem_too() -> None:
    parts: dict[str, Any] = {"regulator": None, "duration_predictor": None}
    [problem] = problems_of(minimal(decoder={"type": "faulty"}, **parts))
    assert (problem.path, problem.code) == ("decoder", "plugin-raised")
    assert problem.message == f"{WHO} raised RuntimeError: no in `frame_by_frame`"


@pytest.mark.parametrize("result", [5, None])
def test_a_migration_that_fails_is_a_problem_at_its_component(result: Any) -> None:
    def broken(settings: Any) -> Any:
        return result if result else explode()

    step = Migration("encoder", "faulty", 1, function=broken, plugin="acme")
    plugins = Plugins(records=PLUGINS.records, components=PLUGINS.components, migrations=(step,))
    source = minimal(encoder={"type": "faulty"})
    [problem] = problems_of(source, plugins)
    assert (problem.path, problem.code) == ("encoder", "plugin-raised")
    assert problem.message.startswith("the plugin 'acme' raised ")
    assert problem.message.endswith("in a migration of its settings")
    with pytest.raises(SpecError, match="encoder: the plugin 'acme' raised"):
        migrate(source, plugins)


class BadBuild(EncoderParams):
    """Builds what it is told to."""

    type: Literal["bad"] = "bad"
    what: str = "raise"

    def build(self, sizes: Sizes) -> Any:
        return {"none": None, "module": nn.Linear(2, 2)}[self.what]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("raise", r"encoder: the encoder 'bad' of `\w+` raised KeyError: 'raise' in `build`"),
        ("none", "returned a NoneType, not a module that derives from `Encoder`, from `build`"),
        ("module", "returned a Linear, not a module that derives from `Encoder`, from `build`"),
    ],
)
def test_a_build_that_fails_is_said_at_the_part(what: str, message: str) -> None:
    spec = ModelSpec(
        hidden_dim=8,
        encoder=BadBuild(what=what),
        duration_predictor=LinePredictor(),
        regulator=CopyRegulator(),
        decoder=RowDecoder(),
    )
    with pytest.raises(SpecError, match=message):
        assemble(spec)


class UnreadableFile:
    """What a plugin of its own making hands out for a file."""

    def read_bytes(self) -> bytes:
        raise KeyError("gone")


def test_a_named_spec_that_cannot_be_read_names_its_plugin() -> None:
    named = NamedSpec("odd", cast("Traversable", UnreadableFile()), "acme")
    plugins = Plugins(records=PLUGINS.records, components=PLUGINS.components, specs={"odd": named})
    [problem] = problems_of("odd", plugins)
    assert problem.message == "the plugin 'acme' raised KeyError: 'gone' when 'odd' was read"

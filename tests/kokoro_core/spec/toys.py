"""Components that only specs know: enough to check specs without a built-in plugin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from kokoro_core.params.component import ComponentParams, Seq
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import (
    DecoderParams,
    DurationPredictorParams,
    EncoderParams,
    PositionalEncodingParams,
    PostnetParams,
    RegulatorParams,
)
from registry import ComponentRegistry, PluginRecord, Plugins, Registration


class Unbuildable:
    """Specs are checked without building anything."""

    def build(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("checking a spec builds nothing")


class TablePositions(Unbuildable, PositionalEncodingParams):
    """A table of positions."""

    type: Literal["table"] = "table"
    max_len: int = Field(100, ge=1)

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        if self.max_len == 13:
            yield "max_len", f"13 is no length at width {sizes.hidden_dim}"


class NormParams(ComponentParams, slot="acme.norm"):
    """A slot that a plugin opens."""


class RmsNorm(NormParams):
    """Root mean square."""

    type: Literal["rms"] = "rms"
    eps: float = Field(1e-6, gt=0)


class WideEncoder(Unbuildable, EncoderParams):
    """An encoder with a width of its own.

    Attributes:
        heads: Must divide the
            width.
    """

    type: Literal["wide"] = "wide"
    hidden_dim: int | None = Field(None, ge=1)
    heads: int = Field(1, ge=1, lt=100)
    mode: Literal["pre", "post"] = "pre"
    dropout: float = Field(0.1, ge=0, lt=1)
    kernels: Seq[int] = (3, 3)
    norm: NormParams | None = None
    positional_encoding: PositionalEncodingParams = TablePositions(max_len=50)

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        if sizes.hidden_dim % self.heads:
            yield "heads", f"{self.heads} heads do not divide the width {sizes.hidden_dim}"


class StackEncoder(Unbuildable, EncoderParams):
    """Encoders in an encoder; it has no width of its own."""

    type: Literal["stack"] = "stack"
    parts: Seq[EncoderParams] = ()


class LinePredictor(Unbuildable, DurationPredictorParams):
    """A predictor with a width."""

    type: Literal["line"] = "line"
    hidden_dim: int | None = None


class CopyRegulator(Unbuildable, RegulatorParams):
    """A regulator that works at any width."""

    type: Literal["copy"] = "copy"


class MixRegulator(Unbuildable, RegulatorParams):
    """A regulator with one width in and another out."""

    type: Literal["mix"] = "mix"
    in_dim: int | None = None
    out_dim: int | None = None
    takes: ClassVar[Mapping[str, str]] = {"hidden": "in_dim"}
    gives: ClassVar[Mapping[str, str]] = {"memory": "out_dim"}


class RowDecoder(Unbuildable, DecoderParams):
    """A decoder with both widths."""

    type: Literal["rows"] = "rows"
    hidden_dim: int | None = None
    mel_dim: int | None = None


class BarePostnet(Unbuildable, PostnetParams):
    """A postnet with a width."""

    type: Literal["bare"] = "bare"
    mel_dim: int | None = None


class OtherWide(Unbuildable, EncoderParams):
    """Has the name of another plugin's component."""

    type: Literal["wide"] = "wide"
    other: int = 1


TOYS: tuple[type[ComponentParams], ...] = (
    TablePositions,
    RmsNorm,
    WideEncoder,
    StackEncoder,
    LinePredictor,
    CopyRegulator,
    MixRegulator,
    RowDecoder,
    BarePostnet,
)

LOADED = PluginRecord("toys", "spec_toys", "acme-toys", "1.3.0")
BROKEN = PluginRecord("cracked", "x", "acme-cracked", "0.1", "broken", "ImportError: no y")


def plugins_with(*more: Registration, records: tuple[PluginRecord, ...] = (LOADED,)) -> Plugins:
    own = [Registration(each, "toys", "acme-toys", "1.3.0") for each in TOYS]
    return Plugins(records=records, components=ComponentRegistry([*own, *more]))


PLUGINS = plugins_with()
AMBIGUOUS = plugins_with(Registration(OtherWide, "other", "acme-other", "2.0"))


def minimal(**changes: Any) -> dict[str, Any]:
    """Return a spec that is right, with changes at its top."""
    return {
        "hidden_dim": 8,
        "encoder": {"type": "wide"},
        "duration_predictor": {"type": "line"},
        "regulator": {"type": "copy"},
        "decoder": {"type": "rows"},
        **changes,
    }

"""What the examples of `docs/errors.md` need beside the installed plugins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import EncoderParams, PositionalEncodingParams, RegulatorParams
from registry import ComponentRegistry, PluginRecord, Plugins, Registration, installed_plugins
from tests.kokoro_core.spec.toys import Unbuildable


class ConformerOfOne(Unbuildable, EncoderParams):
    """Has the name of another plugin's encoder."""

    type: Literal["zipformer"] = "zipformer"


class ConformerOfTwo(Unbuildable, EncoderParams):
    """Has the name of another plugin's encoder."""

    type: Literal["zipformer"] = "zipformer"


class FaultyEncoder(Unbuildable, EncoderParams):
    """Raises when it is checked."""

    type: Literal["faulty"] = "faulty"

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        raise KeyError("rows")


class AlignedRegulator(Unbuildable, RegulatorParams):
    """Takes what no part gives."""

    takes: ClassVar[Mapping[str, str]] = {"hidden": "hidden_dim", "alignment": ""}
    type: Literal["aligned"] = "aligned"


class WholePositions(Unbuildable, PositionalEncodingParams):
    """Knows only whole sequences."""

    offsetable: ClassVar[bool] = False
    type: Literal["whole"] = "whole"


class LossyEncoder(Unbuildable, EncoderParams):
    """Returns a loss that the spec must weigh."""

    type: Literal["lossy"] = "lossy"

    @property
    def losses(self) -> Mapping[str, float | None] | None:
        return {"commitment": None}


_OURS = installed_plugins()
_THEIRS = {
    "acme-one": (ConformerOfOne, FaultyEncoder, AlignedRegulator, LossyEncoder, WholePositions),
    "acme-two": (ConformerOfTwo,),
}
PLUGINS = Plugins(
    records=(
        *_OURS.records,
        PluginRecord("old", "x", "acme-old", "1.4"),
        PluginRecord("cracked", "x", "acme-cracked", "0.1", "broken", "ImportError: no y"),
        PluginRecord(
            "unwanted",
            "x",
            "acme-unwanted",
            "1.0",
            "blocked",
            "`unwanted` is on the block list",
            remedy="Leave out --no-plugin unwanted.",
        ),
        PluginRecord("future", "x", "acme-future", "3.0", "incompatible", "written for API 9"),
    ),
    components=ComponentRegistry(
        [
            *_OURS.components,
            *(
                Registration(each, name, name, "1.0")
                for name, classes in _THEIRS.items()
                for each in classes
            ),
        ]
    ),
    specs=_OURS.specs,
)

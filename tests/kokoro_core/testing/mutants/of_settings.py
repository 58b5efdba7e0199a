"""Components whose settings say what is not so: the checks of what is declared."""

from __future__ import annotations

from tests.kokoro_core.testing.mutants.broken_params import (
    CountsTooLittle,
    ForgetsDropout,
    Undocumented,
)
from tests.kokoro_core.testing.mutants.mutant import settings_mutant
from tests.kokoro_core.testing.mutants.params import (
    AttentionDecoderParams,
    AttentionEncoderParams,
    BlendParams,
    ConvEncoderParams,
    ConvPostnetParams,
    ConvPredictorParams,
    RepeatParams,
    SinusoidParams,
)
from tests.kokoro_core.testing.mutants.torch_params import ImportsTorch


def declaring(name, killed_by, kind, **declared):
    return settings_mutant(name, killed_by=killed_by, sound=kind(), broken=kind(declares=declared))


EMPTY = declaring(
    "empty rows are said to be refused and are taken",
    "empty-row-is-refused",
    ConvEncoderParams,
    empty_rows=False,
)
FLOAT64 = declaring(
    "float64 is said to be refused and is taken",
    "float64-is-refused",
    ConvEncoderParams,
    float64=False,
)
LOW = declaring(
    "half precision is said to be refused and is taken",
    "low-precision-is-refused",
    ConvEncoderParams,
    low_precision=False,
)
COMPILES = declaring(
    "it is said not to compile and does",
    "compile-is-refused",
    ConvEncoderParams,
    compilable=False,
)
EXPORTS = declaring(
    "it is said not to be exported and is",
    "export-is-refused",
    ConvEncoderParams,
    exportable=False,
)
SPEAKS = declaring(
    "it is said to have no graph for speaking and has one",
    "export-any-length-is-refused",
    ConvEncoderParams,
    exportable=False,
)
DETACHED = declaring(
    "an input is said to get no gradient and gets one",
    "detached-inputs",
    ConvPredictorParams,
    detached_inputs=["hidden"],
)
INEXACT = declaring(
    "the gradient is said to be another than the slope and is the slope",
    "gradient-is-not-exact",
    ConvPostnetParams,
    exact_gradient=False,
)
RANGES = declaring(
    "ranges are said to be learned and are fixed",
    "ranges-are-learned",
    BlendParams,
    learned_ranges=True,
)
ORDER = declaring(
    "order is said not to matter and does",
    "order-does-not-matter",
    AttentionEncoderParams,
    position_free=True,
)
POSITIONS = declaring(
    "positions are said to be all the same and are not",
    "positions-distinct",
    SinusoidParams,
    position_free=True,
)
NO_BLEND = declaring(
    "frames are said to be blends and are copies", "blends", RepeatParams, blends=True
)
BLENDS = declaring(
    "frames are said to be copies and are blends", "repeats", BlendParams, blends=False
)
NO_CHUNKS = declaring(
    "chunks are said to be refused and are taken",
    "limits-are-said",
    AttentionDecoderParams,
    chunked_steps=False,
)
NO_FORKS = declaring(
    "forks are said to be refused and are made",
    "limits-are-said",
    AttentionDecoderParams,
    forkable=False,
)
NOT_TIED = declaring(
    "tensors are said to be tied and are not", "tied", ConvPredictorParams, shared_tensors=True
)
FIELD = declaring(
    "it is said to see one step at each side and sees two",
    "reach",
    ConvPredictorParams,
    receptive_field=1,
)
NARROW = declaring(
    "it is said to see the whole row and sees two steps at each side",
    "reach",
    ConvPredictorParams,
    receptive_field=None,
)
COUNTS = settings_mutant(
    "its size leaves most of it out",
    killed_by="size",
    sound=ConvPredictorParams(),
    broken=CountsTooLittle(),
)
WRITES = settings_mutant(
    "its settings are read back as others",
    killed_by="params-round-trip",
    sound=ConvPredictorParams(),
    broken=ForgetsDropout(),
)
SAYS_NOTHING = settings_mutant(
    "its settings have no description",
    killed_by="params-round-trip",
    sound=SinusoidParams(),
    broken=Undocumented(),
)
TORCH = settings_mutant(
    "its settings import torch",
    killed_by="params-without-torch",
    sound=ConvPredictorParams(),
    broken=ImportsTorch(),
)

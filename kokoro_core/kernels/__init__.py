"""How the mathematics of `kokoro_core.nn` is computed: by the formulas or by something faster.

The layers call what stands here and know nothing of processors. `reference` holds the formulas;
each of the others computes the same, by the fastest way that there is for a device, a type and a
shape. With ``KOKORO_KERNELS=reference`` the formulas compute everything.
"""

from kokoro_core.kernels.attention import attention
from kokoro_core.kernels.decoding import DecodingViews, ExpectedRows, optimize_for_decoding
from kokoro_core.kernels.derived import DerivedCache
from kokoro_core.kernels.direct import Computation, direct, is_unmodified, may_go_direct
from kokoro_core.kernels.dropout import Dropout, ReluDropout
from kokoro_core.kernels.feed_forward import feed_forward
from kokoro_core.kernels.fused_linear import side_by_side
from kokoro_core.kernels.halves import halves
from kokoro_core.kernels.linear import Linear
from kokoro_core.kernels.quantize import quantize_weights
from kokoro_core.kernels.repeated_linear import prefer_repeated, repeated_linear
from kokoro_core.kernels.single_query import single_query

__all__ = [
    "Computation",
    "DecodingViews",
    "DerivedCache",
    "Dropout",
    "ExpectedRows",
    "Linear",
    "ReluDropout",
    "attention",
    "direct",
    "feed_forward",
    "halves",
    "is_unmodified",
    "may_go_direct",
    "optimize_for_decoding",
    "prefer_repeated",
    "quantize_weights",
    "repeated_linear",
    "side_by_side",
    "single_query",
]

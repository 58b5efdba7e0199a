"""Free-running generation."""

from kokoro_core.generation.options import Generation, GenerationOptions, StopReason, defaults_of
from kokoro_core.generation.precision import DecoderCopies
from kokoro_core.generation.request import (
    GenerationRequest,
    Utterances,
    read_request,
    with_arguments_of,
)
from kokoro_core.generation.speak import generate, stream
from kokoro_core.generation.statistics import unchanged_buffers

__all__ = [
    "DecoderCopies",
    "Generation",
    "GenerationOptions",
    "GenerationRequest",
    "StopReason",
    "Utterances",
    "defaults_of",
    "generate",
    "read_request",
    "stream",
    "unchanged_buffers",
    "with_arguments_of",
]

"""Free-running generation."""

from kokoro_core.generation.many import can_replace_rows, generate_many
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
    "can_replace_rows",
    "defaults_of",
    "generate",
    "generate_many",
    "read_request",
    "stream",
    "unchanged_buffers",
    "with_arguments_of",
]
